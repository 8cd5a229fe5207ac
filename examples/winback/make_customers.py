"""Makes customers.csv from the public Online Retail data: one line per customer, ordered by customer id.

The columns are the fields of 01-schema.json, so that the file can be imported as it is.

    pip install pyarrow
    python make_customers.py online_retail.parquet customers.csv

The input is data/online_retail.parquet of the public repository BenJMcCarty/UCI_Dataset_Online_Retail; README.md
beside this file tells where it comes from and under which terms. That copy has lost the invoice numbers, so lines of
one customer in the same minute are taken for one invoice, and purchases and returns are kept apart.
"""

import csv
import hashlib
import sys
from datetime import date
from decimal import Decimal

CENT = Decimal("0.01")
COLUMNS = ["CustomerID", "InvoiceDate", "Quantity", "UnitPrice", "Country"]
HEADER = [
    "customerId", "lastPurchaseDate", "lifetimePurchases", "lifetimeRevenue", "primaryCategory", "preferredChannel",
    "timezone", "consentEmail", "consentSMS", "countryName",
]

# The campaign looks at the last 365 days: all dates move by the same number of days.
SOURCE_ENDS = date(2011, 12, 9)
FILE_ENDS = date(2026, 11, 29)

# Invented facts and their shares of 10,000.
CATEGORIES = [("apparel", 3500), ("electronics", 2500), ("home", 4000)]
CHANNELS = [("email", 8000), ("sms", 2000)]
CONSENTS_EMAIL = [("true", 8000), ("false", 1200), ("", 800)]
CONSENTS_SMS = [("true", 6000), ("false", 2500), ("", 1500)]

# The zone where most people of a country live; what is not listed is not a place.
ZONES = {
    "Australia": "Australia/Sydney",
    "Austria": "Europe/Vienna",
    "Bahrain": "Asia/Bahrain",
    "Belgium": "Europe/Brussels",
    "Brazil": "America/Sao_Paulo",
    "Canada": "America/Toronto",
    "Channel Islands": "Europe/Jersey",
    "Cyprus": "Asia/Nicosia",
    "Czech Republic": "Europe/Prague",
    "Denmark": "Europe/Copenhagen",
    "EIRE": "Europe/Dublin",
    "Finland": "Europe/Helsinki",
    "France": "Europe/Paris",
    "Germany": "Europe/Berlin",
    "Greece": "Europe/Athens",
    "Iceland": "Atlantic/Reykjavik",
    "Israel": "Asia/Jerusalem",
    "Italy": "Europe/Rome",
    "Japan": "Asia/Tokyo",
    "Lebanon": "Asia/Beirut",
    "Lithuania": "Europe/Vilnius",
    "Malta": "Europe/Malta",
    "Netherlands": "Europe/Amsterdam",
    "Norway": "Europe/Oslo",
    "Poland": "Europe/Warsaw",
    "Portugal": "Europe/Lisbon",
    "RSA": "Africa/Johannesburg",
    "Saudi Arabia": "Asia/Riyadh",
    "Singapore": "Asia/Singapore",
    "Spain": "Europe/Madrid",
    "Sweden": "Europe/Stockholm",
    "Switzerland": "Europe/Zurich",
    "USA": "America/New_York",
    "United Arab Emirates": "Asia/Dubai",
    "United Kingdom": "Europe/London",
}


def read_invoices(path):
    """Sums the lines to invoices: {customer: {(minute, country, is it a return): amount}}."""
    import pyarrow.parquet

    customers = {}
    for line in pyarrow.parquet.read_table(path, columns=COLUMNS).to_pylist():
        if line["CustomerID"] is None:
            continue
        invoices = customers.setdefault(str(int(line["CustomerID"])), {})
        key = (line["InvoiceDate"], line["Country"], line["Quantity"] < 0)
        # A price is a double in the file; its shortest spelling is the price the shop wrote.
        invoices[key] = invoices.get(key, Decimal(0)) + line["Quantity"] * Decimal(repr(line["UnitPrice"]))
    return customers


def summary(customer_id, invoices):
    """Last purchase, number of purchases, revenue less returns, country of the latest invoice."""
    # A purchase costs something: the few invoices of nothing but free goods are none.
    bought = [minute for (minute, _, is_return), amount in invoices.items() if not is_return and amount > 0]
    last_purchase = max(bought).date().isoformat() if bought else ""
    revenue = sum(amount.quantize(CENT) for amount in invoices.values())
    _, country, _ = max(invoices)
    return [customer_id, last_purchase, len(bought), revenue, country]


def derived(fact, customer_id, shares):
    """The value whose share of 10,000 holds the number that the fact and the id give."""
    digest = hashlib.sha256(fact.encode() + b"\0" + customer_id.encode()).digest()
    left = int.from_bytes(digest[:8], "big") * 10_000 >> 64
    for value, share in shares:
        if left < share:
            return value
        left -= share


def record(customer_id, last_purchase, purchases, revenue, country):
    """The line of a customer: what the source says, and what it does not."""
    if last_purchase:
        last_purchase = date.fromisoformat(last_purchase) + (FILE_ENDS - SOURCE_ENDS)
    return [
        customer_id, last_purchase, purchases, revenue,
        derived("category", customer_id, CATEGORIES),
        derived("channel", customer_id, CHANNELS),
        ZONES.get(country, ""),
        derived("consentEmail", customer_id, CONSENTS_EMAIL),
        derived("consentSMS", customer_id, CONSENTS_SMS),
        country,
    ]


def main():
    source, target = sys.argv[1:]
    with open(target, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for customer_id, invoices in sorted(read_invoices(source).items()):
            writer.writerow(record(*summary(customer_id, invoices)))


if __name__ == "__main__":
    main()
