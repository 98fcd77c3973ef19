//! Asking a server again that is asked too often.

use std::time::Duration;

use countersign_client::ClientError;

/// How often one request is asked again when the server says that it is asked too often.
const TRIES: u32 = 60;
/// How long to wait if the server does not say for how long.
const WAIT: Duration = Duration::from_secs(1);

/// Asks again when the server says that it is asked too often, unless it wants to be left alone for
/// longer than `longest`.
pub(crate) fn patient<T>(
    longest: Duration,
    mut ask: impl FnMut() -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let mut tries = 0;
    loop {
        match ask() {
            Err(ClientError::Problem {
                problem,
                retry_after,
            }) if tries < TRIES
                && retry_after.is_none_or(|wait| wait <= longest)
                && matches!(problem.code.as_str(), "rate-limited" | "busy" | "contended") =>
            {
                tries += 1;
                std::thread::sleep(retry_after.unwrap_or(WAIT));
            }
            answered => return answered,
        }
    }
}
