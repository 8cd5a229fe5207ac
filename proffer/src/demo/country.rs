//! Maps the country names of the file to time zones.

use chrono_tz::Tz;

/// The time zone of a country; with several zones, the one where most people live. `Unspecified`
/// and `European Community` are not places and have no zone.
pub fn zone(country: &str) -> Option<Tz> {
    Some(match country {
        "Australia" => Tz::Australia__Sydney,
        "Austria" => Tz::Europe__Vienna,
        "Bahrain" => Tz::Asia__Bahrain,
        "Belgium" => Tz::Europe__Brussels,
        "Brazil" => Tz::America__Sao_Paulo,
        "Canada" => Tz::America__Toronto,
        "Channel Islands" => Tz::Europe__Jersey,
        "Cyprus" => Tz::Asia__Nicosia,
        "Czech Republic" => Tz::Europe__Prague,
        "Denmark" => Tz::Europe__Copenhagen,
        "EIRE" => Tz::Europe__Dublin,
        "Finland" => Tz::Europe__Helsinki,
        "France" => Tz::Europe__Paris,
        "Germany" => Tz::Europe__Berlin,
        "Greece" => Tz::Europe__Athens,
        "Iceland" => Tz::Atlantic__Reykjavik,
        "Israel" => Tz::Asia__Jerusalem,
        "Italy" => Tz::Europe__Rome,
        "Japan" => Tz::Asia__Tokyo,
        "Lebanon" => Tz::Asia__Beirut,
        "Lithuania" => Tz::Europe__Vilnius,
        "Malta" => Tz::Europe__Malta,
        "Netherlands" => Tz::Europe__Amsterdam,
        "Norway" => Tz::Europe__Oslo,
        "Poland" => Tz::Europe__Warsaw,
        "Portugal" => Tz::Europe__Lisbon,
        "RSA" => Tz::Africa__Johannesburg,
        "Saudi Arabia" => Tz::Asia__Riyadh,
        "Singapore" => Tz::Asia__Singapore,
        "Spain" => Tz::Europe__Madrid,
        "Sweden" => Tz::Europe__Stockholm,
        "Switzerland" => Tz::Europe__Zurich,
        "USA" => Tz::America__New_York,
        "United Arab Emirates" => Tz::Asia__Dubai,
        "United Kingdom" => Tz::Europe__London,
        _ => return None,
    })
}
