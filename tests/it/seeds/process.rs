//! What the commands do, call by call: the seam between a simulated process and the code it runs.

use std::path::Path;
use std::time::Duration;

use rebal::domain::plan::Reason;
use rebal::domain::scope::Scope;
use rebal::exchange::Exchange;
use rebal::ledger::{Halt, Ledger};
use rebal::pass::lock::Lock;
use rebal::pass::stop::{self, Closed, Hands, Looked, Under};
use rebal::pass::{self, PassError, Prepared, Stop, Watch, alarm, latch, record};

use super::invariant::{Closing, Ended};
use super::venue::Venue;
use super::world::Job;

/// What one process does between opening the ledger and closing it: the commands' own sequence of calls,
/// `command/rebalance.rs`, `flatten.rs` and `risk_check.rs` without their words.
pub(crate) struct Process<'a, 'v> {
    pub(crate) folder: &'a Path,
    pub(crate) venue: &'a mut Venue<'v>,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) lock: &'a mut Lock,
    pub(crate) settings: &'a pass::Settings,
    pub(crate) stop: &'a Stop,
}

impl<'v> Process<'_, 'v> {
    pub(crate) async fn run(&mut self, job: &Job) -> Ended {
        let done = match job {
            Job::Rebalance => self.rebalance().await,
            Job::Check => self.check().await,
            Job::Flatten { scope, halt } => self.flatten(scope, *halt).await,
            Job::Resume => self.resume().await,
        };
        match done {
            Ok(ended) => ended,
            Err(error) => match stop::heed(self.ledger, self.folder, self.venue.now(), &error).await {
                Ok(Some(halt)) => Ended::Refused(halt),
                Ok(None) => Ended::Failed(error),
                Err(error) => Ended::Failed(error.into()),
            },
        }
    }

    async fn rebalance(&mut self) -> Result<Ended, PassError> {
        if let Some(halt) = latch::hold(self.ledger, self.folder).await? {
            return self.halted(halt).await;
        }
        self.venue.connect().await?;
        let prepared = match stop::look(self.venue, self.ledger, self.settings).await? {
            Looked::Within(prepared) => prepared,
            Looked::Breached(prepared) => return self.hard_stop(&prepared, None).await,
        };
        let (install, next) = (self.ledger.install().await?, self.ledger.next_pass_id().await?);
        self.lock.note(install, next).unwrap();
        let acted =
            pass::carry_out(self.venue, self.ledger, self.settings, &prepared, &Silent, self.stop).await?;
        let _ = alarm::acted(self.ledger, self.venue.now(), &acted).await;
        let (_, code) = record::verdict(&prepared, &acted);
        Ok(Ended::Done(prepared, acted, code))
    }

    async fn halted(&mut self, halt: Halt) -> Result<Ended, PassError> {
        let _ = alarm::halted(self.ledger, self.venue.now(), &halt, None).await;
        if halt.is_over() {
            return Ok(Ended::Refused(halt));
        }
        self.venue.connect().await?;
        match stop::under(self.venue, self.ledger, self.settings, &halt).await? {
            Under::Rest(_) => Ok(Ended::Refused(halt)),
            Under::Breached(prepared) => self.hard_stop(&prepared, Some(&halt)).await,
            Under::Close => self.go_on(halt, stop::STOPPED).await,
        }
    }

    async fn check(&mut self) -> Result<Ended, PassError> {
        let halt = latch::hold(self.ledger, self.folder).await?;
        if let Some(halt) = &halt {
            let _ = alarm::halted(self.ledger, self.venue.now(), halt, None).await;
        }
        self.venue.connect().await?;
        match halt {
            None => match stop::look(self.venue, self.ledger, self.settings).await? {
                Looked::Within(_) => Ok(Ended::Looked),
                Looked::Breached(prepared) => {
                    let ended = self.hard_stop(&prepared, None).await?;
                    self.look_after_closing().await;
                    Ok(ended)
                }
            },
            Some(halt) if halt.is_over() => {
                stop::look(self.venue, self.ledger, self.settings).await?;
                Ok(Ended::Looked)
            }
            Some(halt) => {
                let ended = match stop::under(self.venue, self.ledger, self.settings, &halt).await? {
                    Under::Rest(_) => return Ok(Ended::Looked),
                    Under::Breached(prepared) => self.hard_stop(&prepared, Some(&halt)).await?,
                    Under::Close => self.go_on(halt, stop::STOPPED).await?,
                };
                self.look_after_closing().await;
                Ok(ended)
            }
        }
    }

    async fn look_after_closing(&mut self) {
        if let Err(error) = stop::look(self.venue, self.ledger, self.settings).await {
            let _ = stop::heed(self.ledger, self.folder, self.venue.now(), &error).await;
        }
    }

    async fn flatten(&mut self, scope: &Scope, halts: bool) -> Result<Ended, PassError> {
        let halt = match halts {
            true => Some(latch::by_hand(self.ledger, self.folder, self.venue.now(), scope.clone()).await.0),
            false => None,
        };
        for tries in 1.. {
            match self.venue.connect().await {
                Ok(_) => break,
                Err(_) if tries < 5 => tokio::time::sleep(Duration::from_millis(500)).await,
                Err(error) => {
                    let closed = Closed { notes: vec![error.to_string()], ..Closed::default() };
                    return Ok(self.conclude(halt, scope.clone(), closed, 0).await);
                }
            }
        }
        match halt {
            Some(halt) => self.go_on(halt, 0).await,
            None => {
                let mut hands = self.hands();
                let closed = stop::until_flat(&mut hands, scope, Reason::Flatten).await?;
                Ok(self.conclude(None, scope.clone(), closed, 0).await)
            }
        }
    }

    async fn resume(&mut self) -> Result<Ended, PassError> {
        if latch::hold(self.ledger, self.folder).await?.is_none() {
            return Ok(Ended::Looked);
        }
        self.venue.connect().await?;
        stop::resume(self.venue, self.ledger, self.folder, self.settings).await?;
        Ok(Ended::Resumed)
    }

    fn hands(&mut self) -> Hands<'_, Venue<'v>> {
        Hands {
            exchange: self.venue,
            ledger: self.ledger,
            lock: Some(self.lock),
            concurrency: self.settings.concurrency,
            watch: &Silent,
            stop: self.stop,
        }
    }

    async fn hard_stop(&mut self, prepared: &Prepared, before: Option<&Halt>) -> Result<Ended, PassError> {
        self.venue.world.borrow_mut().says_breached();
        let (folder, limits) = (self.folder, &self.settings.limits);
        let (halt, closed) = stop::fire(&mut self.hands(), folder, prepared, limits, before).await?;
        Ok(self.conclude(Some(halt), Scope::All, closed, stop::STOPPED).await)
    }

    async fn go_on(&mut self, halt: Halt, when_flat: u8) -> Result<Ended, PassError> {
        let (folder, reason) = (self.folder, stop::reason_of(&halt));
        let (halt, closed) = stop::go_on(&mut self.hands(), folder, halt, reason).await?;
        let scope = halt.scope.clone();
        Ok(self.conclude(Some(halt), scope, closed, when_flat).await)
    }

    async fn conclude(&mut self, halt: Option<Halt>, scope: Scope, closed: Closed, when_flat: u8) -> Ended {
        let at = self.venue.now();
        stop::conclude(self.ledger, at, halt.as_ref(), &closed, when_flat).await;
        let code = closed.exit_code(when_flat);
        Ended::Closed(Closing { at, halt, scope, closed, code })
    }
}

struct Silent;

impl Watch for Silent {
    fn sending(&self, _orders: usize) {}
    fn answered(&self) {}
}
