//! What the SDK must not repeat, although it looks like a passing fault.

use aws_sdk_ec2::config::interceptors::InterceptorContext;
use aws_sdk_ec2::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::operation::run_instances::RunInstancesError;

use crate::ec2::problem::Kind;

/// EC2 answers a lack of hardware with HTTP 500, which the SDK takes for a fault that passes
/// within seconds. Another market or type is the way out, and waiting is the user's choice.
#[derive(Debug)]
pub struct NoCapacity;

impl ClassifyRetry for NoCapacity {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(|result| result.err());
        let error = error.and_then(|error| error.as_operation_error()?.downcast_ref::<RunInstancesError>());
        match error.and_then(ProvideErrorMetadata::code).map(Kind::of) {
            Some(Kind::NoCapacity) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "no capacity"
    }
}
