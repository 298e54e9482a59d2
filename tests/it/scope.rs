//! `scope`: what starts together ends together.

mod cancellation;
mod failure;
mod nesting;
mod places;
mod success;

use std::time::Duration;

use thenable::{Result, delay};

const SEC: Duration = Duration::from_secs(1);

/// An hour of sleep with something in hand.
async fn hour(in_hand: impl Send) -> Result<()> {
    delay(3600 * SEC).await?;
    drop(in_hand);
    Ok(())
}

async fn fail_after(after: Duration, text: &'static str) -> Result<()> {
    delay(after).await?;
    Err(text.into())
}

fn text<T>(outcome: Result<T>) -> String {
    outcome.map_or_else(|why| why.to_string(), |_| "a value".into())
}
