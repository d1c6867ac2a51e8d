//! Tests of `leasehold::seal` through its public interface.

mod behaviour;
mod key_file;
mod passphrase;
mod passphrase_source;
mod shamir;
mod world;

/// Checks what every refusal owes the operator: one line, with the cause and after a colon the remedy.
fn is_cause_and_remedy(error: &dyn std::error::Error) -> bool {
    let text = error.to_string();
    !text.contains('\n') && text.split_once(": ").is_some_and(|(cause, remedy)| cause.len() > 10 && remedy.len() > 10)
}
