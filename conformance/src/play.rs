//! Plays a scenario through a door.

use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use serde_json::Value;
use serve::Clock;

use crate::{
    Answer, Call,
    door::Door,
    expectation::differences,
    scenario::{ExpectedError, Scenario, Step, example},
    seed,
    variable::{Variables, fill, fill_text, text_of},
};

/// How often and how long an answer that arrives later is asked for.
const POLL: Duration = Duration::from_millis(50);
const POLLS_MAX: u32 = 400;

/// Plays all steps; the first answer that is not as expected ends it with the step, the call and
/// the differences.
pub async fn play(scenario: &Scenario, door: &Door) -> anyhow::Result<()> {
    let clock = Clock::system();
    let mut variables = Variables::new();
    for (name, value) in scenario.variables.iter().flatten() {
        variables.insert(name.clone(), fill(value, &variables, clock.now())?);
    }
    for (number, step) in (1..).zip(&scenario.steps) {
        if step.doors.as_ref().is_some_and(|doors| !doors.contains(&door.kind())) {
            continue;
        }
        let counter = step.each.iter().flatten().next();
        let (counter, [first, last]) =
            counter.map_or((None, [0, 0]), |(name, range)| (Some(name), *range));
        for count in first..=last {
            if let Some(counter) = counter {
                variables.insert(counter.clone(), count.into());
            }
            let context = || {
                let name = step
                    .name
                    .as_deref()
                    .or(step.call.as_deref())
                    .or(step.seed.as_deref())
                    .unwrap_or_default();
                let count =
                    counter.map(|counter| format!(" ({counter} = {count})")).unwrap_or_default();
                format!("step {number}{count}: {name}")
            };
            if let Some(instant) = &step.after_instant {
                reach(&clock, &fill_text(instant, &variables, clock.now())?).await?;
            }
            take(step, door, &mut variables, clock.now()).await.with_context(context)?;
        }
    }
    Ok(())
}

/// Returns once the clock reads this instant.
async fn reach(clock: &Clock, instant: &Value) -> anyhow::Result<()> {
    let instant = instant.as_str().context("an instant is a text")?;
    let instant = DateTime::parse_from_rfc3339(instant).context(instant.to_owned())?;
    while let Ok(left) = (instant.to_utc() - clock.now()).to_std() {
        tokio::time::sleep(left + Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn take(
    step: &Step,
    door: &Door,
    variables: &mut Variables,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for (name, value) in &step.set {
        variables.insert(name.clone(), fill(value, variables, now)?);
    }
    let is_true =
        |text: &String| fill_text(text, variables, now).map(|value| value == Value::Bool(true));
    let is_wanted = step.when.as_ref().map(is_true).transpose()?.unwrap_or(true);
    if !is_wanted || step.unless.as_ref().map(is_true).transpose()?.unwrap_or(false) {
        return Ok(());
    }
    let Some(call) = call_of(step, variables, now)? else { return Ok(()) };
    let mut answer = door.call(&call).await?;
    let mut found = judge(step, &answer, variables, now)?;
    for _ in 0..POLLS_MAX {
        if found.is_empty() || !step.eventually {
            break;
        }
        tokio::time::sleep(POLL).await;
        answer = door.call(&call).await?;
        found = judge(step, &answer, variables, now)?;
    }
    if !found.is_empty() {
        let body = call.body.as_ref().map(|body| format!("\n  {body}")).unwrap_or_default();
        let asked = format!("{} {}{body}", call.method, call.path);
        bail!("{asked}\nanswered {} {}\n{}", answer.status, answer.body, found.join("\n"));
    }
    for (name, path) in &step.save {
        let value =
            at(&answer.body, path).with_context(|| format!("no `{path}` in {}", answer.body))?;
        variables.insert(name.clone(), value.clone());
    }
    Ok(())
}

fn call_of(step: &Step, variables: &Variables, now: DateTime<Utc>) -> anyhow::Result<Option<Call>> {
    if let Some(named) = &step.seed {
        let (file, number) = named.split_once(' ').context("a seed call is `file number`")?;
        return seed::call(file, number.parse()?).map(Some);
    }
    let Some(line) = &step.call else { return Ok(None) };
    let (method, path) = line.split_once(' ').context("a call is `METHOD path`")?;
    let path = text_of(&fill_text(path, variables, now)?);
    let body = match &step.example {
        Some(file) => Some(example(file)?),
        None => step.body.as_ref().map(|body| fill(body, variables, now)).transpose()?,
    };
    Ok(Some(Call { method: method.to_owned(), path, body, script: None }))
}

fn judge(
    step: &Step,
    answer: &Answer,
    variables: &Variables,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let status = step.status.unwrap_or(200);
    if answer.status != status {
        found.push(format!("status: expected {status}, got {}", answer.status));
    }
    if let Some(expected) = &step.expect {
        found.extend(differences(&fill(expected, variables, now)?, Some(&answer.body)));
    }
    if let Some(expected) = &step.error {
        found.extend(error_differences(expected, answer));
    }
    Ok(found)
}

fn error_differences(expected: &ExpectedError, answer: &Answer) -> Vec<String> {
    let Some(fault) = &answer.error else {
        return vec![format!("expected {}, got no error", expected.code)];
    };
    let mut found = Vec::new();
    if fault.code != expected.code {
        found.push(format!("code: expected {}, got {}", expected.code, fault.code));
    }
    if let (Some(wanted), Some(reason)) = (&expected.reason, &fault.reason)
        && wanted != reason
    {
        found.push(format!("reason: expected {wanted}, got {reason}"));
    }
    for field in &expected.fields {
        if fault.fields.as_ref().is_some_and(|fields| !fields.contains(field)) {
            found.push(format!("expected `{field}` among the wrong fields {:?}", fault.fields));
        }
    }
    if let Some(text) = &expected.message
        && !fault.message.contains(text)
    {
        found.push(format!("message: expected `{text}` in `{}`", fault.message));
    }
    found
}

/// The value at a dotted path.
fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, part| match part.parse::<usize>() {
        Ok(index) => value.get(index),
        Err(_) => value.get(part),
    })
}
