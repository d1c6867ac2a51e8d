//! Giving shares, one at a time, to a server that gathers them.

use super::{application::exposed, client::Client, failure::Failure, output, secret_input};
use crate::secret::SecretText;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

#[derive(Serialize)]
struct Giving {
    #[serde(serialize_with = "exposed")]
    share: SecretText,
}

/// Gives the share in `file`; where none is named asks for one after the other until the server needs no more. A share
/// that is refused at the terminal is asked for again.
pub(super) async fn give(
    client: &Client,
    path: &str,
    status: &Value,
    file: Option<&PathBuf>,
) -> Result<Value, Failure> {
    if file.is_some() {
        let share = secret_input::read(file, "")?;
        return Ok(client.post(path, &Giving { share }).await?);
    }
    let mut answer = status.clone();
    while let Some(question) = question(&answer) {
        let share = secret_input::read(None, &question)?;
        match client.post(path, &Giving { share }).await {
            Ok(next) => answer = next,
            Err(refused) if refused.is_about_the_share() => output::complain(&refused.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(answer)
}

/// Asks for the next share; `None` once the server waits for none.
fn question(answer: &Value) -> Option<String> {
    let shares = answer.get("shares")?;
    let given: Vec<String> = shares.get("given")?.as_array()?.iter().map(Value::to_string).collect();
    let (needed, of) = (shares.get("needed")?.as_u64()?, shares.get("of")?.as_u64()?);
    let so_far = if given.is_empty() { "none yet".to_owned() } else { format!("number {}", given.join(", ")) };
    Some(format!("Share ({} of {needed} given, {so_far}; there are {of}): ", given.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_is_asked_for_a_share_sees_how_far_the_others_are() {
        let answer = json!({ "open": false, "shares": { "given": [1, 4], "needed": 3, "of": 5 } });
        assert_eq!(question(&answer).unwrap(), "Share (2 of 3 given, number 1, 4; there are 5): ");
        let answer = json!({ "open": false, "shares": { "given": [], "needed": 3, "of": 5 } });
        assert_eq!(question(&answer).unwrap(), "Share (0 of 3 given, none yet; there are 5): ");
        assert_eq!(question(&json!({ "open": true })), None);
    }
}
