//! All services as processes of their own, each with one replica or several.

use std::net::TcpListener;

use anyhow::Context as _;

use crate::{admin::ready, process::Process};

/// The services, the one behind the door last.
pub const SERVICES: [&str; 5] = ["catalog", "policy", "experiment", "decision", "gateway"];

/// One replica of a service, at addresses that stay its own.
#[derive(Debug)]
pub struct Member {
    /// The service, without `-svc`.
    pub service: &'static str,
    listen: String,
    /// Address of health and metrics.
    pub admin: String,
    process: Option<Process>,
}

impl Member {
    /// `http://host:port` of its services.
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// The process, while it has one.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }
}

/// The members of all services. Its processes are killed when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The members, service by service in the order of [`SERVICES`].
    pub members: Vec<Member>,
    arguments: Vec<String>,
    /// The first of the arguments, which name the data.
    place: usize,
    /// Of every process, besides what says where the others are.
    common: Vec<(String, String)>,
}

impl Cluster {
    /// Room for so many replicas of each service and so many gateways; nothing runs yet.
    /// `arguments` are those of every process, `place` those that name the data.
    pub fn new(
        (replicas, gateways): (usize, usize),
        place: &[String],
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let mut kinds = Vec::new();
        for service in SERVICES {
            let count = if service == "gateway" { gateways } else { replicas };
            kinds.extend(std::iter::repeat_n(service, count));
        }
        let mut addresses = free_addresses(kinds.len() * 2)?.into_iter();
        let mut address = || addresses.next().context("there are two addresses for each member");
        let members = kinds.into_iter().map(|service| {
            Ok(Member { service, listen: address()?, admin: address()?, process: None })
        });
        let members = members.collect::<anyhow::Result<_>>()?;
        let own = arguments.iter().map(|one| (*one).to_owned());
        Ok(Self {
            members,
            place: place.len(),
            arguments: place.iter().cloned().chain(own).collect(),
            common: vec![("PROFFER_LOG".to_owned(), "warn".to_owned())],
        })
    }

    /// The same with variables for the environment of every process.
    pub fn with(mut self, environment: &[(String, String)]) -> Self {
        self.common.extend(environment.iter().cloned());
        self
    }

    /// Starts every member and waits until all may be sent work.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        for index in 0..self.members.len() {
            self.launch(index)?;
        }
        for index in 0..self.members.len() {
            self.ready(index).await?;
        }
        Ok(())
    }

    /// Starts one member.
    pub fn launch(&mut self, index: usize) -> anyhow::Result<()> {
        let environment = self.environment(index);
        let member = &mut self.members[index];
        let is_gateway = member.service == "gateway";
        let program = match is_gateway {
            true => "gateway".to_owned(),
            false => format!("{}-svc", member.service),
        };
        let mut arguments = vec!["--listen", &member.listen, "--admin-listen", &member.admin];
        let mut all = self.arguments.iter().map(String::as_str);
        if is_gateway {
            // It has no data.
            all.by_ref().take(self.place).for_each(drop);
        }
        arguments.extend(all);
        member.process = Some(Process::start(&program, &arguments, &environment)?);
        Ok(())
    }

    /// Waits until a member may be sent work.
    pub async fn ready(&mut self, index: usize) -> anyhow::Result<()> {
        let member = &mut self.members[index];
        let process = member.process.as_mut().context("the member does not run")?;
        ready(&member.admin, process).await
    }

    /// Asks a member to stop, and waits until it has ended.
    pub async fn stop(&mut self, index: usize) -> anyhow::Result<()> {
        let process = self.members[index].process.take().context("the member does not run")?;
        process.signal("TERM")?;
        let (code, log) = process.ended().await?;
        anyhow::ensure!(code == Some(0), "a service did not stop well ({code:?}):\n{log}");
        Ok(())
    }

    /// `kill -9` of a member.
    pub fn kill(&mut self, index: usize) -> anyhow::Result<()> {
        self.members[index].process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// `http://host:port` of each gateway.
    pub fn doors(&self) -> Vec<String> {
        self.of("gateway").map(|index| self.members[index].url()).collect()
    }

    /// Places of the members of a service.
    pub fn of(&self, service: &str) -> impl Iterator<Item = usize> + use<'_> {
        let service = service.to_owned();
        (0..self.members.len()).filter(move |index| self.members[*index].service == service)
    }

    /// The processes that run, the gateways last.
    pub fn into_processes(self) -> Vec<Process> {
        self.members.into_iter().filter_map(|member| member.process).collect()
    }

    /// Where the other services are, as settings of this one.
    fn environment(&self, index: usize) -> Vec<(String, String)> {
        let own = self.members[index].service.to_uppercase();
        let urls = |service: &str| {
            let urls: Vec<_> = self.of(service).map(|index| self.members[index].url()).collect();
            urls.join(",")
        };
        let setting = |service: &str| {
            (format!("PROFFER_{own}_{}_URL", service.to_uppercase()), urls(service))
        };
        SERVICES.into_iter().map(setting).chain(self.common.iter().cloned()).collect()
    }
}

/// Free addresses of this machine. Each stays bound until all are chosen.
pub fn free_addresses(count: usize) -> anyhow::Result<Vec<String>> {
    let sockets: Vec<_> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    sockets.iter().map(|socket| Ok(socket.local_addr()?.to_string())).collect()
}
