//! Channels, contact policies, settings, and following them.

use futures::StreamExt as _;
use policy_svc::messages::rule::NAMES;
use proffer_proto::{policy::v1 as proto, values::v1::ResourceStatus};
use prost::Message as _;
use tonic::Code;

use super::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_channels_and_policy_are_taken() {
    seeded_on_both(async |world| {
        let get = async |id: &str| {
            let request = proto::GetChannelRequest { id: id.into() };
            world.channels().get_channel(request).await.unwrap().into_inner().channel.unwrap()
        };
        let email = get("email").await;
        assert_eq!(
            (email.id.as_str(), email.channel_type.as_str(), email.status()),
            ("ch_email", "email", ResourceStatus::Active)
        );
        assert_eq!(email.config.unwrap().quiet_hours_start, "21:00");
        assert_eq!(get("ch_sms").await.name, "sms");
        let request = proto::ListContactPoliciesRequest::default();
        let policies = world
            .policies()
            .list_contact_policies(request)
            .await
            .unwrap()
            .into_inner()
            .contact_policies;
        assert_eq!(policies[0].id, "pol_winback_3_touch_cap_30_day_window");
        assert_eq!(
            (policies[0].scope.as_str(), policies[0].status()),
            (SEED_SCOPE, ResourceStatus::Active)
        );
        assert!(
            policies[0].warnings.is_empty()
                && policies[0].created_at.is_some()
                && !policies[0].etag.is_empty()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_channels_are_refused_with_every_fault() {
    on_both(async |world| {
        let config = proto::ChannelConfig {
            quiet_hours_start: "21:00".into(),
            quiet_hours_end: "21:00".into(),
            timezone_source: vec!["zone".into()],
            ..Default::default()
        };
        let channel = proto::Channel {
            id: "Email".into(),
            channel_type: "fax".into(),
            status: 99,
            config: Some(config),
            ..Default::default()
        };
        let request = proto::CreateChannelRequest { channel: Some(channel), ..Default::default() };
        let status = world.channels().create_channel(request).await.unwrap_err();
        let paths: Vec<_> = faults(&status)
            .iter()
            .map(|fault| fault.split(':').next().unwrap().to_owned())
            .collect();
        assert_eq!(
            paths,
            [
                "channel.name",
                "channel.id",
                "channel.status",
                "channel.channel_type",
                "channel.config.quiet_hours_end",
                "channel.config.timezone_source[0]",
            ]
        );
        let empty = world
            .channels()
            .create_channel(proto::CreateChannelRequest::default())
            .await
            .unwrap_err();
        assert_eq!(faults(&empty), ["channel: is required"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_lacks_is_told_with_what_it_may_be() {
    let world = World::on_sqlite().await;
    let contact_policy = Some(proto::ContactPolicy {
        rule: None,
        scope: "planet:x".into(),
        ..cap("pol_x", "", 1, 1)
    });
    let request = proto::CreateContactPolicyRequest { contact_policy, ..Default::default() };
    assert_eq!(
        faults(&world.policies().create_contact_policy(request).await.unwrap_err()),
        [
            "contact_policy.scope: word `planet` is unknown; known are global, category, offer, \
             channel, subcategory"
                .to_owned(),
            format!("contact_policy.rule_type: is required: one of {}", NAMES.join(", ")),
        ]
    );
}

/// Whether the mask names it or there is no mask.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_refuses_another_id_than_that_of_the_resource() {
    let world = World::on_sqlite().await;
    world.create_policy(cap("pol_a", "", 1, 1)).await;
    for paths in [vec!["id".to_owned()], Vec::new()] {
        let update = |id: &str| proto::UpdateContactPolicyRequest {
            id: "pol_a".into(),
            contact_policy: Some(proto::ContactPolicy { id: id.into(), ..cap("pol_a", "", 1, 2) }),
            update_mask: Some(prost_types::FieldMask { paths: paths.clone() }),
        };
        let refused = world.policies().update_contact_policy(update("pol_b")).await.unwrap_err();
        let fault = "contact_policy.id: is `pol_b`, but the resource is `pol_a`: it never changes; \
                     leave it out";
        assert_eq!(faults(&refused), [fault]);
        world.policies().update_contact_policy(update("pol_a")).await.unwrap();
    }
}

/// A scope that would not bind is no scope.
#[tokio::test(flavor = "multi_thread")]
async fn a_cap_refuses_a_scope_that_it_would_ignore() {
    use proto::contact_policy::Rule;
    let world = World::on_sqlite().await;
    let create = async |rule: fn(proto::FrequencyCap) -> Rule, scope: &str| {
        let capped = cap(&format!("pol_{}", scope.len()), scope, 1, 1);
        let Some(Rule::FrequencyCap(limits)) = capped.rule.clone() else { panic!() };
        let contact_policy = Some(proto::ContactPolicy { rule: Some(rule(limits)), ..capped });
        let request = proto::CreateContactPolicyRequest { contact_policy, ..Default::default() };
        world.policies().create_contact_policy(request).await
    };
    for scope in ["category:Home", "offer:off_1", "channel:email"] {
        let refused = create(Rule::CustomerTotalCap, scope).await.unwrap_err();
        let fault = "contact_policy.scope: must be `global` or left out: customer_total_cap \
                     counts every contact and refuses every offer";
        assert_eq!(faults(&refused), [fault], "{scope}");
    }
    let refused = create(Rule::CrossChannelCap, "category:Home; channel:email").await;
    let fault = "contact_policy.scope: must not contain `channel:`: cross_channel_cap counts on \
                 every channel";
    assert_eq!(faults(&refused.unwrap_err()), [fault]);
    create(Rule::CrossChannelCap, "category:Home").await.unwrap();
    create(Rule::CustomerTotalCap, "global").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_etag_and_a_taken_name_are_refused() {
    seeded_on_both(async |world| {
        let update = |etag: &str, quiet: &str| {
            let config =
                proto::ChannelConfig { quiet_hours_end: quiet.into(), ..Default::default() };
            let channel =
                proto::Channel { etag: etag.into(), config: Some(config), ..Default::default() };
            let update_mask =
                Some(prost_types::FieldMask { paths: vec!["config.quiet_hours_end".into()] });
            proto::UpdateChannelRequest { id: "email".into(), channel: Some(channel), update_mask }
        };
        let updated = world
            .channels()
            .update_channel(update("", "07:00"))
            .await
            .unwrap()
            .into_inner()
            .channel
            .unwrap();
        let config = updated.config.unwrap();
        assert_eq!(
            (config.quiet_hours_start.as_str(), config.quiet_hours_end.as_str()),
            ("21:00", "07:00")
        );
        assert_eq!(
            world.channels().update_channel(update("stale", "06:00")).await.unwrap_err().code(),
            Code::Aborted
        );
        let request = proto::CreateChannelRequest {
            channel: Some(proto::Channel { name: "EMAIL".into(), ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(
            world.channels().create_channel(request).await.unwrap_err().code(),
            Code::AlreadyExists
        );
        let gone = proto::DeleteChannelRequest { id: "email".into(), etag: String::new() };
        world.channels().delete_channel(gone.clone()).await.unwrap();
        assert_eq!(world.channels().delete_channel(gone).await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}

/// A change of the rules binds the very next question.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_or_deleted_policy_binds_no_more() {
    seeded_on_both(async |world| {
        world.create_policy(cap("pol_one", "global", 30, 1)).await;
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "granted");
        assert_eq!(world.outcome_of_reserve("ann", "dec_2").await, "frequency_cap");
        let mut paused = proto::ContactPolicy::default();
        paused.set_status(ResourceStatus::Paused);
        let update_mask = Some(prost_types::FieldMask { paths: vec!["status".into()] });
        let request = proto::UpdateContactPolicyRequest {
            id: "pol_one".into(),
            contact_policy: Some(paused),
            update_mask,
        };
        world.policies().update_contact_policy(request).await.unwrap();
        assert_eq!(world.outcome_of_reserve("ann", "dec_3").await, "granted");
        world.create_policy(cap("pol_two", "global", 30, 1)).await;
        assert_eq!(world.outcome_of_reserve("ann", "dec_4").await, "frequency_cap");
        let request =
            proto::DeleteContactPolicyRequest { id: "pol_two".into(), etag: String::new() };
        world.policies().delete_contact_policy(request).await.unwrap();
        assert_eq!(world.outcome_of_reserve("ann", "dec_5").await, "granted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_have_defaults_and_change_field_by_field() {
    on_both(async |world| {
        let get = async || {
            let found = world.settings().get_settings(proto::GetSettingsRequest {}).await.unwrap();
            found.into_inner().settings.unwrap()
        };
        let update = async |settings: proto::TenantSettings, paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
            let update_mask = Some(prost_types::FieldMask { paths });
            let request = proto::UpdateSettingsRequest {
                settings: Some(settings),
                update_mask,
                ..Default::default()
            };
            world
                .settings()
                .update_settings(request)
                .await
                .map(|response| response.into_inner().settings.unwrap())
        };
        let of = |timezone: &str, fallback: &str, currency: &str| proto::TenantSettings {
            timezone: timezone.into(),
            fallback_timezone: fallback.into(),
            currency: currency.into(),
            country_field: "customer.country".into(),
            ..Default::default()
        };
        let bare = |settings| proto::TenantSettings {
            revision: 0,
            etag: String::new(),
            updated_at: None,
            ..settings
        };
        assert_eq!(get().await, of("UTC", "", "GBP"));
        let changed = update(of("Europe/Paris", "x", "x"), &["timezone"]).await.unwrap();
        let old = proto::TenantSettings { etag: changed.etag.clone(), ..of("Europe/Rome", "", "") };
        assert_eq!(bare(changed), of("Europe/Paris", "", "GBP"));
        assert_eq!(
            update(of("", "Asia/Kathmandu", ""), &["fallback_timezone"]).await.unwrap(),
            get().await
        );
        assert_eq!(bare(get().await), of("Europe/Paris", "Asia/Kathmandu", "GBP"));
        let stale = update(old, &["timezone"]).await.unwrap_err();
        assert_eq!(
            stale.code(),
            tonic::Code::Aborted,
            "a stale etag overwrites nothing: {stale:?}"
        );
        assert_eq!(update(of("", "", ""), &["timezone"]).await.unwrap().timezone, "UTC");
        assert_eq!(bare(update(of("UTC", "", "EUR"), &[]).await.unwrap()), of("UTC", "", "EUR"));
        assert_eq!(
            faults(&update(of("Mars", "Moon", "gbp"), &[]).await.unwrap_err()),
            [
                "settings.timezone: `Mars` is not an IANA zone name such as `Europe/London`",
                "settings.fallback_timezone: `Moon` is not an IANA zone name such as \
                 `Europe/London`",
                "settings.currency: `gbp` is not an ISO 4217 currency such as `GBP`",
            ]
        );
        let unknown = update(of("", "", ""), &["colour"]).await.unwrap_err();
        assert_eq!(faults(&unknown), ["update_mask: contains the unknown field `colour`"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_everything_current_and_every_change() {
    seeded_on_both(async |world| {
        let request = proto::WatchPolicyRequest { after_revision: 1 };
        let mut pages = world.gate().watch_policy(request).await.unwrap().into_inner();
        let first = pages.next().await.unwrap().unwrap();
        let kinds: Vec<_> = first.changes.iter().map(|change| change.kind.as_str()).collect();
        assert_eq!((kinds, first.head_revision), (vec!["channel", "channel", "contact_policy"], 4));
        let settings =
            Some(proto::TenantSettings { timezone: "Europe/London".into(), ..Default::default() });
        world
            .settings()
            .update_settings(proto::UpdateSettingsRequest {
                settings,
                update_mask: None,
                ..Default::default()
            })
            .await
            .unwrap();
        let second = pages.next().await.unwrap().unwrap();
        let change = &second.changes[0];
        assert_eq!(
            (change.kind.as_str(), change.id.as_str(), second.head_revision),
            ("settings", "settings", 5)
        );
        let settings = proto::TenantSettings::decode(change.resource.as_slice()).unwrap();
        assert_eq!(
            (settings.timezone.as_str(), settings.currency.as_str()),
            ("Europe/London", "GBP")
        );
        let gone = proto::DeleteChannelRequest { id: "ch_web".into(), etag: String::new() };
        world.channels().delete_channel(gone).await.unwrap();
        let third = pages.next().await.unwrap().unwrap();
        assert!(third.changes[0].deleted && third.changes[0].id == "ch_web");
    })
    .await;
    let world = World::on_sqlite().await;
    let mut empty =
        world.gate().watch_policy(proto::WatchPolicyRequest::default()).await.unwrap().into_inner();
    assert_eq!(empty.next().await.unwrap().unwrap(), proto::WatchPolicyResponse::default());
    let wrong = world.gate().watch_policy(proto::WatchPolicyRequest { after_revision: -1 }).await;
    assert_eq!(wrong.map(drop).unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_its_own_rules_and_ledger() {
    seeded_on_both(async |world| {
        let request =
            serve::metadata::request("other", reservation(world.question("ann"), "dec_1"));
        assert_eq!(world.gate().reserve(request).await.unwrap_err().code(), Code::NotFound);
        for decision in ["dec_1", "dec_2", "dec_3"] {
            assert_eq!(world.outcome_of_reserve("ann", decision).await, "granted");
        }
        let channel = Some(proto::Channel { name: "email".into(), ..Default::default() });
        let request = serve::metadata::request(
            "other",
            proto::CreateChannelRequest { channel, ..Default::default() },
        );
        world.channels().create_channel(request).await.unwrap();
        let contact_policy = Some(cap("pol_1", "global", 30, 1));
        let request = serve::metadata::request(
            "other",
            proto::CreateContactPolicyRequest { contact_policy, ..Default::default() },
        );
        world.policies().create_contact_policy(request).await.unwrap();
        let request =
            serve::metadata::request("other", reservation(world.question("ann"), "dec_1"));
        assert_eq!(told(&world.gate().reserve(request).await.unwrap().into_inner()), "granted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_at_most_two_hundred_channels_and_policies() {
    let world = World::on_sqlite().await;
    for n in 0..200 {
        let channel_type = "web".into();
        let channel = proto::Channel { name: format!("c{n}"), channel_type, ..Default::default() };
        world.create_channel(channel).await;
        world.create_policy(cap(&format!("pol_{n}"), "global", 1, 10_000)).await;
    }
    let channel = Some(proto::Channel { name: "one more".into(), ..Default::default() });
    let status = world
        .channels()
        .create_channel(proto::CreateChannelRequest { channel, ..Default::default() })
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "LIMIT_EXCEEDED")
    );
    let contact_policy = Some(cap("pol_more", "global", 1, 1));
    let request = proto::CreateContactPolicyRequest { contact_policy, ..Default::default() };
    let status = world.policies().create_contact_policy(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "LIMIT_EXCEEDED")
    );
    // The largest question against the most policies is answered within the limits of a message.
    let mut question = world.question("ann");
    question.channel = "c0".into();
    question.candidates = (0..500).map(|n| candidate(&format!("off_{n}"), "Apparel")).collect();
    assert_eq!(told(&world.reserve(question, "dec_1").await), "granted");
}
