//! The container image: the Dockerfile's last stage around the static binary, built and run for real in a namespace of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::privilege::Privilege;
use crate::process;
use crate::workspace::Workspace;

/// Build and run images without a daemon.
const PACKAGES: [&str; 3] = ["buildah", "podman", "runc"];
const IMAGE: &str = "localhost/sensor:trial";
const NETNS: &str = "sensor-image-trial";

/// Builds the image of this binary and tries it; a word if it could not be tried here.
pub(super) fn trial(workspace: &Workspace, binary: &Path) -> Result<Option<String>> {
    let privilege = Privilege::current();
    if let Err(reason) = packages::ensure(&PACKAGES, privilege) {
        return Ok(Some(format!("no image: {reason:#}")));
    }
    let trial = Trial::new(privilege)?;
    trial.build(workspace, binary)?;
    // Whether containers run here at all is not the image's business.
    let output = trial.podman(&[], &["--version"]).output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Ok(Some(format!("the image was built and not run: {}", words.lines().last().unwrap_or_default())));
    }
    trial.run()?;
    Ok(None)
}

/// A place for images, and a namespace; both go with it.
struct Trial {
    privilege: Privilege,
    folder: PathBuf,
}

impl Trial {
    fn new(privilege: Privilege) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("{NETNS}-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let trial = Self { privilege, folder };
        // One that an earlier trial left.
        let _ = trial.ip(&["netns", "delete", NETNS]).stderr(Stdio::null()).status();
        process::run(&mut trial.ip(&["netns", "add", NETNS]))?;
        process::run(&mut trial.ip(&["-n", NETNS, "link", "add", "near", "type", "veth", "peer", "name", "far"]))?;
        for link in ["lo", "near", "far"] {
            process::run(&mut trial.ip(&["-n", NETNS, "link", "set", link, "up"]))?;
        }
        Ok(trial)
    }

    fn ip(&self, arguments: &[&str]) -> Command {
        let mut command = self.privilege.command("ip");
        command.args(arguments);
        command
    }

    /// A program of these, with its images in the folder.
    fn storage(&self, program: &str) -> Command {
        let mut command = self.privilege.command(program);
        command.args(["--storage-driver", "vfs", "--root"]).arg(self.folder.join("images"));
        command.arg("--runroot").arg(self.folder.join("run"));
        command
    }

    /// What the Dockerfile says of the image itself; what builds the binary there needs a base image from elsewhere.
    fn build(&self, workspace: &Workspace, binary: &Path) -> Result<()> {
        let dockerfile = fs::read_to_string(workspace.root.join("Dockerfile"))?;
        let last = dockerfile.rfind("\nFROM ").context("the Dockerfile has no second stage")?;
        let stage = dockerfile[last..].replace("COPY --from=build /out/sensor", "COPY sensor");
        let context = self.folder.join("context");
        fs::create_dir_all(&context)?;
        fs::write(context.join("Dockerfile"), stage)?;
        fs::copy(binary, context.join("sensor"))?;
        let mut build = self.storage("buildah");
        process::run(build.args(["bud", "--quiet", "--isolation", "chroot", "--tag", IMAGE]).arg(context))
    }

    /// `sensor` with these arguments in a container as the DaemonSet has it, but for the namespace.
    fn podman(&self, options: &[&str], arguments: &[&str]) -> Command {
        let mut podman = self.storage("podman");
        podman.args(["--runtime", "/usr/sbin/runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]);
        podman.args(["run", "--rm", "--network", &format!("ns:/run/netns/{NETNS}"), "--read-only"]);
        // The usual limits may be beyond what this machine allows.
        podman.args(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]);
        podman.args(["--cap-drop", "ALL", "--cap-add", "BPF", "--cap-add", "NET_ADMIN", "--cap-add", "PERFMON"]);
        podman.args(["--security-opt", "no-new-privileges"]).args(options).arg(IMAGE).args(arguments);
        podman
    }

    fn run(&self) -> Result<()> {
        // Debian's own profile leaves bpf(2) to CAP_SYS_ADMIN; newer runtimes do not.
        let open = ["--security-opt", "seccomp=unconfined"];
        // As much as the DaemonSet's pods may have.
        let limited = [&open[..], &["--memory", "256m"]].concat();
        let nobody = [&open[..], &["--user", "65534"]].concat();
        let attach = ["attach", "-i", "near", "--mode", "native", "--duration", "1"];
        for (options, arguments, fine, words) in [
            (&[][..], &["--version"][..], true, "sensor "),
            (&open[..], &["doctor", "--iface", "near"], true, "fine"),
            (&limited[..], &attach, true, "watching near: ingress by native XDP"),
            // Podman makes capabilities ambient for other users, which Kubernetes does not.
            (&nobody[..], &attach, true, "watching near: ingress by native XDP"),
            // What docs/kubernetes.md says of strict profiles.
            (&["--security-opt", "seccomp=/usr/share/containers/seccomp.json"], &attach, false, "seccomp profile"),
        ] {
            let output = self.podman(options, arguments).output()?;
            let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
            if output.status.success() != fine || !said.contains(words) {
                bail!("in a container, {options:?}, `sensor {}`: {} ({said})", arguments.join(" "), output.status);
            }
        }
        Ok(())
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = self.ip(&["netns", "delete", NETNS]).status();
        let _ = self.privilege.command("rm").arg("-rf").arg(&self.folder).status();
    }
}
