//! What EC2 refuses, and what to do about it.

/// Stands for EC2's error code when there are no credentials to ask it with.
pub const NO_CREDENTIALS: &str = "NoCredentials";

/// A call that EC2 did not do, or whose answer was lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("EC2 {action} failed: {}", text(.code, .message))]
pub struct Problem {
    /// The call, by its name in IAM: `RunInstances`.
    pub action: &'static str,
    /// EC2's error code, if there was an answer; [`NO_CREDENTIALS`] if it was not even asked.
    pub code: Option<String>,
    /// The reason in words.
    pub message: String,
}

fn text(code: &Option<String>, message: &str) -> String {
    code.as_ref().map_or_else(|| message.to_owned(), |code| format!("{message} ({code})"))
}

/// What kinds of refusal are told apart (EC2 API, "Error codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IAM does not allow it.
    Unauthorized,
    /// The credentials are missing, wrong or expired.
    Credentials,
    /// No hardware of this type in this zone now.
    NoCapacity,
    /// Too many calls.
    Throttled,
    /// The object is not there, or not yet in view.
    NotFound,
    /// The object is in use.
    InUse,
    /// The object is in a state that does not allow it now.
    WrongState,
    /// The zones differ.
    ZoneMismatch,
    /// It exists already.
    Duplicate,
    /// The token was used with other parameters.
    TokenMismatch,
    /// The token's instance has ended.
    TokenEnded,
    /// A quota of the account.
    Quota,
    /// No answer.
    NoAnswer,
    /// Anything else.
    Other,
}

impl Kind {
    /// What EC2's error code means.
    #[must_use]
    pub fn of(code: &str) -> Self {
        match code {
            "UnauthorizedOperation" => Self::Unauthorized,
            "AuthFailure"
            | "InvalidClientTokenId"
            | "ExpiredToken"
            | "SignatureDoesNotMatch"
            | "OptInRequired"
            | "RequestExpired"
            | NO_CREDENTIALS => Self::Credentials,
            "InsufficientInstanceCapacity"
            | "InsufficientHostCapacity"
            | "SpotMaxPriceTooLow"
            | "MaxSpotInstanceCountExceeded"
            | "Unsupported" => Self::NoCapacity,
            "RequestLimitExceeded" | "Throttling" | "ThrottlingException" => Self::Throttled,
            "VolumeInUse" | "DependencyViolation" | "InvalidGroup.InUse" => Self::InUse,
            "IncorrectState"
            | "IncorrectInstanceState"
            | "IncorrectModificationState"
            | "VolumeModificationRateExceeded" => Self::WrongState,
            "InvalidVolume.ZoneMismatch" => Self::ZoneMismatch,
            "IdempotentParameterMismatch" => Self::TokenMismatch,
            "IdempotentInstanceTerminated" => Self::TokenEnded,
            "VcpuLimitExceeded"
            | "InstanceLimitExceeded"
            | "VolumeLimitExceeded"
            | "MaxIOPSLimitExceeded" => Self::Quota,
            code if [".Duplicate", ".AlreadyExistsException"].iter().any(|end| code.ends_with(end)) => {
                Self::Duplicate
            }
            code if [".NotFound", ".NotFoundException", ".Malformed", ".Unavailable"]
                .iter()
                .any(|end| code.ends_with(end)) =>
            {
                Self::NotFound
            }
            _ => Self::Other,
        }
    }
}

impl Problem {
    /// What kind of refusal it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.code.as_deref().map_or(Kind::NoAnswer, Kind::of)
    }

    /// Whether the same call may be answered in a minute.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self.kind(), Kind::NoAnswer | Kind::Throttled)
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        match self.kind() {
            Kind::Unauthorized => format!(
                "allow ec2:{} to these credentials; in generated/archivers/…, iam-policy-host.json is the whole policy \
                 of a host, iam-policy.json that of whoever runs `up` and `down`",
                self.action
            ),
            Kind::Credentials => {
                "look at the credentials: `aws sts get-caller-identity` with the same environment".to_owned()
            }
            Kind::NoCapacity => "run it again later, or name another `instance_type` that this zone offers: \
                `aws ec2 describe-instance-type-offerings --location-type availability-zone`"
                .to_owned(),
            Kind::Throttled => "the account makes too many calls; run it again in a minute".to_owned(),
            Kind::ZoneMismatch => {
                "a volume cannot leave its zone; set `availability_zone` to the volume's".to_owned()
            }
            Kind::Quota => {
                format!("ask for a higher quota of this account for {}, in AWS' console", self.action)
            }
            Kind::NoAnswer => "is the network up, and does the region exist? Then run it again".to_owned(),
            Kind::InUse | Kind::WrongState => {
                "something else is under way with it; run it again in a minute".to_owned()
            }
            Kind::NotFound => {
                "it is gone, or was named wrongly in the spec; `dormouse up` makes what is missing".to_owned()
            }
            Kind::Duplicate | Kind::TokenMismatch | Kind::TokenEnded | Kind::Other => {
                "run it again; if it stays, the code in brackets stands in EC2's documentation".to_owned()
            }
        }
    }
}
