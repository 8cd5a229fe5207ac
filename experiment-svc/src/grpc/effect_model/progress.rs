//! How far a training is, for the caller who waits for it.

use async_stream::try_stream;
use futures::{StreamExt as _, stream::BoxStream};
use proffer_proto::experiment::v1::{
    self as proto, train_effect_model_with_progress_response::Part,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tonic::Status;

use super::shown;

pub(super) use proto::TrainingStage as Stage;

/// News that wait for the caller at most; further ones are left out.
const WAITING_MAX: usize = 16;

/// Where it is said how far a training is.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Option<mpsc::Sender<proto::TrainingProgress>>);

/// A training that has begun.
pub(super) type Running = JoinHandle<Result<proto::EffectModel, Status>>;

/// The parts of an answer.
pub(super) type Parts =
    BoxStream<'static, Result<proto::TrainEffectModelWithProgressResponse, Status>>;

impl Progress {
    /// Somebody listens.
    pub(super) fn heard() -> (Self, mpsc::Receiver<proto::TrainingProgress>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self(Some(sender)), receiver)
    }

    /// Says what is being done, and how many rows were read.
    pub(super) fn says(&self, stage: Stage, rows: usize) {
        let Some(sender) = &self.0 else { return };
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        // A caller who is slow or gone misses the news, and nothing else.
        sender.try_send(proto::TrainingProgress { stage: stage.into(), rows }).ok();
    }
}

/// What is said of a training, and then what was learned.
pub(super) fn parts(running: Running, mut news: mpsc::Receiver<proto::TrainingProgress>) -> Parts {
    let part = |part| proto::TrainEffectModelWithProgressResponse { part: Some(part) };
    let parts = try_stream! {
        // The training ends the news when it ends.
        while let Some(progress) = news.recv().await {
            yield part(Part::Progress(progress));
        }
        let model = running.await.map_err(|fault| serve::internal(&fault))??;
        if let Some(model) = shown(model) {
            yield part(Part::EffectModel(model));
        }
    };
    parts.boxed()
}
