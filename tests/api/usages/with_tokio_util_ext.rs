use super::*;
use tokio_util::future::FutureExt;

fn timeout_is_ours(p: Promise<i32>) {
    let p: Promise<i32> = p.timeout(SEC);
}
