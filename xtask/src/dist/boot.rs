//! The units under a live systemd: booted as process 1 of a container whose root is this machine's own beneath a layer that is
//! thrown away, with a network of its own.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::privilege::Privilege;
use crate::workspace::Workspace;

/// What boots; without it that is left out.
const PACKAGES: [&str; 3] = ["systemd", "systemd-container", "dbus"];

/// Lays the layer over the root ($1 is the folder, $2 the repository, $3 the binary), and boots. Mounts go with their namespace.
const BOOT: &str = r#"
set -e
mount -t tmpfs tmpfs "$1" && mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
# The container's manager insists on a file system that forgets.
mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn
root="$1/root"
# Nothing of this machine's own is started.
rm -rf "$root"/etc/systemd/system/*.wants "$root"/var/lib/sensor* "$root"/var/lib/private/sensor* "$root"/etc/sensor
: > "$root/etc/machine-id"
cp "$2"/deploy/systemd/*.service "$root/etc/systemd/system/"
# A container has no udev, which makes units of interfaces.
sed -i '/^BindsTo=\|^After=sys-subsystem/d' "$root/etc/systemd/system/sensor@.service"
install -D "$3" "$root/usr/bin/sensor"
install -D /dev/stdin "$root/trial.sh" < "$4"
cat > "$root/etc/systemd/system/trial.service" <<'UNIT'
[Unit]
After=basic.target
[Service]
Type=oneshot
TimeoutStartSec=240
ExecStart=/bin/sh /trial.sh
UNIT
printf '[Unit]\nRequires=basic.target trial.service\nAfter=basic.target\n' > "$root/etc/systemd/system/trial.target"
calls="bpf landlock_create_ruleset landlock_add_rule landlock_restrict_self"
timeout 280 systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit --private-network \
    --machine=sensor-trial --capability=all --system-call-filter="$calls" systemd.unit=trial.target < /dev/null >&2
cat "$root/result"
"#;

/// What is done there as an operator does it. A line says that all of it was right.
const TRIAL: &str = r#"
exec > /result 2>&1
trap 'systemctl poweroff' EXIT
set -ex
is() {
    { set +x; } 2>/dev/null
    for i in $(seq 600); do [ "$(systemctl show -P "$2" "$1")" = "$3" ] && { set -x; return; }; sleep 0.1; done
    systemctl status "$1"
    false
}
ip link set lo up
ip link add near type veth peer name far
ip link set near up && ip link set far up
mkdir -p /etc/default /etc/systemd/system/sensor.service.d
echo 'SENSOR_OPTIONS="-i near --mode native"' > /etc/default/sensor
printf '[Service]\nRestartSec=100ms\nWatchdogSec=10\n' > /etc/systemd/system/sensor.service.d/trial.conf
systemctl daemon-reload

systemctl start sensor
systemctl show -P StatusText sensor | grep -q 'watching near'
sensor status > /status
grep -q 'near: ingress by xdp-native' /status
grep -q 'capabilities *all dropped' /status
grep -q 'no file to write\|files to write in one folder' /status
grep -q 'CapEff 0, NoNewPrivs yes, Seccomp yes' /status
[ "$(stat -c %a /run/sensor/tail.sock)" = 660 ]
sensor tail > /dev/null
sensor incidents | grep -q 'watched near from'
[ "$(stat -c %U "/proc/$(systemctl show -P MainPID sensor)")" != root ]
systemd-analyze security sensor | grep -q 'level for sensor.service: [01]\.'

kill -9 "$(systemctl show -P MainPID sensor)"
is sensor NRestarts 1
is sensor ActiveState active
sensor incidents | grep -q 'broken off'
# One that stands still is ended by the watchdog, and started anew.
kill -STOP "$(systemctl show -P MainPID sensor)"
is sensor NRestarts 2
is sensor ActiveState active

systemctl stop sensor
[ "$(systemctl show -P Result sensor)" = success ]
[ ! -e /run/sensor ]
if ip link show near | grep -q xdp; then false; fi

echo 'SENSOR_OPTIONS="-i nothere"' > /etc/default/sensor
printf '[Service]\nRestart=no\n' >> /etc/systemd/system/sensor.service.d/trial.conf
systemctl daemon-reload
if systemctl start sensor; then false; fi
[ "$(systemctl show -P ExecMainStatus sensor)" = 2 ]

: > /etc/default/sensor
systemctl start sensor@far
systemctl show -P StatusText sensor@far | grep -q 'watching far'
sensor tail --socket /run/sensor-far/tail.sock > /dev/null
sensor incidents --db /var/lib/sensor-far/sensor.db | grep -q 'watched far from'
systemctl stop sensor@far
echo all of it
"#;

/// Boots, and tries the units; a word if that cannot be done here.
pub(super) fn trial(workspace: &Workspace, binary: &Path) -> Result<Option<String>> {
    let privilege = Privilege::current();
    if let Err(reason) = packages::ensure(&PACKAGES, privilege) {
        return Ok(Some(format!("no units under a live systemd: {reason:#}")));
    }
    // Not below /tmp, which a booting system mounts anew.
    let folder = tempfile::tempdir_in("/var/tmp").context("no folder for temporary files")?;
    let script = workspace.target.join("trial.sh");
    fs::write(&script, TRIAL)?;
    let mut boot = privilege.command("unshare");
    boot.args(["--mount", "--", "sh", "-c", BOOT, "boot"]).arg(folder.path()).arg(&workspace.root).arg(binary);
    let output = boot.arg(&script).stdin(Stdio::null()).output().context("unshare cannot be started")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if said.lines().any(|line| line == "all of it") {
        return Ok(None);
    }
    let booted = said.contains("ip link");
    let why = String::from_utf8_lossy(&output.stderr);
    if booted {
        bail!("under a live systemd the units are not as they should be:\n{said}");
    }
    // Whether a systemd boots here at all is not the units' business.
    Ok(Some(format!("no systemd boots here ({}), so the units were not run", why.lines().last().unwrap_or_default())))
}
