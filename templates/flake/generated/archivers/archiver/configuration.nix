# The archiver archiver of home: it keeps backups in its pool, and sleeps when nobody needs it.
# Written by dormouse-generate; change dormouse.json instead.
#
# The image's boot services read this text line by line before Nix does: it holds no vertical bar,
# and no line begins with three hashes.
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:
let
  pool = "archive";
  port = 22;

  # Seconds without a session until it powers off, and seconds that it lives at most.
  linger = 120;
  maxLifetime = 86400;

  # Seconds between the beginnings of two scrubs.
  scrubPeriod = 2592000;

  # The users that hosts log in as, with the datasets that each may receive into. ZFS keeps their rights by
  # number on the volume, so the numbers are fixed, from a range that nothing else allots numbers from.
  group = 1879048192;
  hosts = {
    dormouse-desktop = {
      uid = 1905531592;
      name = "desktop";
      key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJIET8eO9q3kS5O71X+vepEl1empwFOIrUK8Qcqry6MB";
      targets = [ "archive/desktop/safe" ];
    };
  };

  adminKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFcqwdKeEP7kvogHb5cqrYAV2HcdDRRfjTmv9nwnMaWv";

  # The host key that hosts know.
  hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPpFAS3PgOOGiV5RVRZvvOTO147HMfzOr+KUzdFcl0lt";

  # A receive needs create, mount and receive, a restore needs send, and the record of properties needs
  # userprop. Without destroy and rollback no host can remove what it sent. Without the rights to set how a
  # copy is mounted, and to hold it, no stream of a host's can do that either.
  permissions = "create,mount,receive,send,userprop";

  # What every copy inherits from the pool, so that importing it mounts nothing on any machine.
  kept = {
    canmount = "off";
    "com.sun:auto-snapshot" = "false";
    mountpoint = "none";
    readonly = "on";
    volmode = "none";
  };

  # What is granted, in short: while the pool has the same there is nothing to look for in all its datasets.
  granted = builtins.hashString "sha256" (
    builtins.toJSON [
      permissions
      (builtins.mapAttrs (_: host: { inherit (host) uid targets; }) hosts)
    ]
  );

  zfs = config.boot.zfs.package;
in
{
  imports = [ "${modulesPath}/virtualisation/amazon-image.nix" ];

  system.stateVersion = "26.05";
  documentation.enable = false;

  networking = {
    hostName = "archiver";
    # The same for every instance, or the pool of one that ended badly would belong to another.
    hostId = "efde389f";

    # The metadata service hands the user data, and so the host key, to whoever asks.
    firewall.extraCommands = ''
      if ! iptables -C OUTPUT -d 169.254.169.254 -m owner ! --uid-owner 0 -j REJECT; then
        iptables -A OUTPUT -d 169.254.169.254 -m owner ! --uid-owner 0 -j REJECT
      fi
      if ! ip6tables -C OUTPUT -d fd00:ec2::254 -m owner ! --uid-owner 0 -j REJECT; then
        ip6tables -A OUTPUT -d fd00:ec2::254 -m owner ! --uid-owner 0 -j REJECT
      fi
    '';
  };

  # Else every boot would rebuild the system that it is.
  virtualisation.amazon-init.enable = false;
  # The user data was copied there, host key and all, for everyone to read.
  systemd.tmpfiles.rules = [
    "z /etc/nixos/configuration.nix 0600 root root -"
    "d /run/dormouse-gate 0755 root root -"
  ]
  ++ map (user: "d /run/dormouse-gate/${user} 0700 ${user} dormouse -") (builtins.attrNames hosts);
  services.amazon-ssm-agent.enable = lib.mkForce false;

  boot.supportedFilesystems = [ "zfs" ];
  boot.zfs.forceImportRoot = false;
  services.zfs.trim.enable = false;

  services.openssh = {
    enable = true;
    ports = [ port ];
    hostKeys = [
      {
        type = "ed25519";
        path = "/etc/ssh/ssh_host_ed25519_key";
      }
    ];
    # Only the keys below, not those of an EC2 key pair.
    authorizedKeysFiles = lib.mkForce [ "/etc/ssh/authorized_keys.d/%u" ];
    settings = {
      AllowUsers = [ "root" ] ++ builtins.attrNames hosts;
      PermitRootLogin = "prohibit-password";
      PasswordAuthentication = false;
      KbdInteractiveAuthentication = false;
      AllowAgentForwarding = false;
      AllowStreamLocalForwarding = false;
      AllowTcpForwarding = false;
      PermitTunnel = false;
      X11Forwarding = false;
      LoginGraceTime = 30;
      # The session of a host that is gone ends after a minute, which is one interval more than the
      # count; until then it counts as busy.
      ClientAliveInterval = 15;
      ClientAliveCountMax = 3;
    };
  };

  users.groups.dormouse.gid = group;
  users.users = {
    root.openssh.authorizedKeys.keys = [ adminKey ];
  }
  // builtins.mapAttrs (_: host: {
    inherit (host) uid;
    isSystemUser = true;
    group = "dormouse";
    shell = pkgs.bashInteractive;
    openssh.authorizedKeys.keys = [
      "restrict,command=\"${pkgs.bashInteractive}/bin/bash /etc/dormouse/gate ${
        lib.escapeShellArgs ([ host.name ] ++ host.targets)
      }\" ${host.key}"
    ];
  }) hosts;

  # All that a host's key can start.
  environment.etc."dormouse/gate".text = ''
    # Dormouse: all that a host's key can start on this archiver. Installed as /etc/dormouse/gate, it is the command of
    # each line in authorized_keys; its arguments are the host and that host's targets.
    #
    # ZFS alone would not do: who may receive may also destroy, for `zfs receive -F` of a replication stream asks for
    # no other right (openzfs #16943). What was asked for is taken apart here, and by no shell: words, some of them in
    # quotes, joined by `&&`.
    set -f
    export LC_ALL=C
    host="$1"
    targets=( "''${@:2}" )
    asked="''${SSH_ORIGINAL_COMMAND:-}"

    # Limits in bytes, and in words of one command: twice what a host says.
    longest=110000
    longest_word=16384
    most_words=1000

    # A directory of this user's own, and the seconds that a command waits for one of the other kind.
    locks=/run/dormouse-gate/$(id -un)
    patience=20

    administrator="the administrator's key starts everything else: ssh -i <secrets>/admin/id_ed25519 root@$HOSTNAME"

    # One entry of the journal, whatever is in the text: quoted for bash, without control characters.
    note() {
      local text="''${1:0:1000}"
      if command -v systemd-cat >/dev/null; then
        systemd-cat --identifier=dormouse-gate echo "refused: ''${text@Q}"
      elif command -v logger >/dev/null; then
        logger -t dormouse-gate -- "refused: ''${text@Q}"
      fi
    }

    refuse() {
      local text="''${asked:0:1000}"
      note "$asked"
      echo "permission denied: a host's key does not start: ''${text//[[:cntrl:]]/?}" >&2
      echo "nothing was done; $administrator" >&2
      exit 126
    }

    if [ -n "''${asked:longest}" ]; then refuse; fi

    # Whether this is a target, in one, or a snapshot or bookmark there.
    own() {
      local target
      case "/$1/" in
        */../*) return 1 ;;
        */./*) return 1 ;;
      esac
      for target in "''${targets[@]}"; do
        case "''${1%%[@#]*}/" in
          "$target"/*) return 0 ;;
        esac
      done
      return 1
    }

    # The same, but no snapshot and no bookmark.
    own_dataset() {
      case "$1" in
        *[@#]*) return 1 ;;
      esac
      own "$1"
    }

    # The same, or what a target is in.
    near() {
      local target
      for target in "''${targets[@]}"; do
        case "$target" in
          "$1"/*) return 0 ;;
        esac
      done
      own_dataset "$1"
    }

    the_pool() {
      [ "$1" = archive ]
    }

    # Whether words are options out of two lists, then at least one name that passes a test. Options
    # with a value are listed as `-o=pattern`. After a name no option is one, whatever zfs thinks.
    only() {
      local plain="$1" valued="$2" passes="$3" spec fits word
      shift 3
      while [ "$#" -gt 0 ]; do
        case "$1" in
          -*[!A-Za-z]*) return 1 ;;
          -*) ;;
          *) break ;;
        esac
        case " $plain " in
          *" $1 "*)
            shift
            continue
            ;;
        esac
        fits=""
        for spec in $valued; do
          # The right side is a pattern.
          # shellcheck disable=SC2053
          if [ "''${spec%%=*}" = "$1" ] && [[ ''${2:-} == ''${spec#*=} ]]; then fits=1; fi
        done
        if [ -z "$fits" ]; then return 1; fi
        if [ "$#" -lt 2 ]; then return 1; fi
        shift 2
      done
      if [ "$#" = 0 ]; then return 1; fi
      for word in "$@"; do
        if ! "$passes" "$word"; then return 1; fi
      done
    }

    allowed() {
      case "''${1:-} ''${2:-}" in
        "zfs list")
          if only "-H -p -r" "-d=* -o=* -s=* -S=* -t=*" own "''${@:3}"; then return 0; fi
          case " $* " in
            *" -d 0 "*) only "-H -p" "-d=0 -o=* -t=*" near "''${@:3}" ;;
            *) return 1 ;;
          esac
          ;;
        "zfs recv") allowed zfs receive "''${@:3}" ;;
        "zfs receive")
          only "-A -s -u -v" "-o=canmount=noauto -o=encryption=off -o=readonly=on -o=volmode=none -x=mountpoint" own_dataset "''${@:3}"
          ;;
        "zfs create")
          only "-u" "-o=canmount=off -o=encryption=off -o=mountpoint=none -o=readonly=on -o=dormouse:placeholder=*" near "''${@:3}"
          ;;
        "zfs set")
          # What was set on a dataset at home.
          [ "$#" = 4 ] && [[ $3 == dormouse:properties=* ]] && own_dataset "$4"
          ;;
        "zfs send")
          if only "-L -P -c -n -v -w" "-I=* -i=*" own "''${@:3}"; then return 0; fi
          # What a token names, only those send who have the right to.
          case "$*" in
            "zfs send -t "*) [ "$#" = 4 ] ;;
            "zfs send -n -v -P -t "*) [ "$#" = 7 ] ;;
            *) return 1 ;;
          esac
          ;;
        "zpool list") only "-H -p" "-o=*" the_pool "''${@:3}" ;;
        "zpool status") only "" "" the_pool "''${@:3}" ;;
        "pkill -f") [ "$#" = 4 ] && [ "$3" = -x ] ;;
        "systemd-escape --template=dormouse-abandon@.service") [ "$#" = 3 ] ;;
        "systemctl --no-ask-password")
          [ "$#" = 4 ] && [ "$3" = start ] && [[ $4 == dormouse-abandon@* ]]
          ;;
        "systemctl show")
          [ "$*" = "systemctl show --property=ActiveState --value dormouse-pool.service" ]
          ;;
        *)
          case "$*" in
            "cat") ;;
            "true") ;;
            "systemctl poweroff") ;;
            "loginctl list-sessions --json=short") ;;
            *) return 1 ;;
          esac
          ;;
      esac
    }

    check() {
      if ! allowed "$@"; then refuse; fi
    }

    # What runs now. The host reads these messages.
    declare -A running=( [send]="a restore is running" [receive]="a backup is running" )

    # Sends of a host run beside each other, and receives too, but never a send beside a receive. Each
    # holds a shared lock of its kind, which zfs inherits and which ends with the last of them. It is taken
    # under a third lock, held for moments only, so that two that come at once do not refuse each other.
    enter() {
      local kind="$1" other="$2" deadline=$((SECONDS + patience)) now refused=0
      if [ "$holds" = "$kind" ]; then return; fi
      exec 7>&-
      holds=""
      if ! [ -w "$locks" ]; then
        echo "cannot write to $locks; nothing was done" >&2
        echo "as root on $HOSTNAME, run: systemd-tmpfiles --create" >&2
        exit 1
      fi
      if ! exec 6>>"$locks/$host.enter" 7>>"$locks/$host.$kind" 8>>"$locks/$host.$other"; then exit 1; fi
      # A run that was refused tries its other datasets too. They do not wait again within a minute.
      printf -v now '%(%s)T' -1
      if [ -e "$locks/$host.refused-$kind" ]; then read -r refused <"$locks/$host.refused-$kind"; fi
      if [ "$((now - refused))" -lt 60 ]; then deadline=0; fi
      while [ -z "$holds" ]; do
        if flock -w "$patience" 6; then
          if flock -n -x 8 && flock -n -s 7; then holds="$kind"; fi
          flock -u 8
          flock -u 6
        fi
        if [ -n "$holds" ]; then break; fi
        if [ "$SECONDS" -ge "$deadline" ]; then
          printf '%(%s)T\n' -1 >"$locks/$host.refused-$kind"
          echo "''${running[$other]} for this host; nothing was done, try again when it has ended" >&2
          exit 75
        fi
        sleep 0.2
      done
      exec 6>&- 8>&-
    }

    # A clone stream names its origin by GUID, in the whole pool, and ZFS asks for no right to the origin. So
    # while a copy of this host depends on a snapshot that is not its own, this host gets nothing back.
    no_foreign_origins() {
      local target listed name origin
      for target in "''${targets[@]}"; do
        if ! listed="$(zfs list -H -r -t filesystem,volume -o name,origin "$target" 2>&1)"; then
          if [ "$listed" = "cannot open '$target': dataset does not exist" ]; then continue; fi
          echo "cannot list the origins of $target: $listed" >&2
          exit 1
        fi
        while IFS=$'\t' read -r name origin; do
          case "$name $origin" in
            " ") continue ;;
            *" -") continue ;;
          esac
          if own "$origin"; then continue; fi
          note "$name is a clone of $origin: $asked"
          echo "cannot send: $name is a clone of a snapshot that does not belong to this host" >&2
          echo "nothing was sent; as root on the archiver: zfs destroy -r $name" >&2
          exit 126
        done <<<"$listed"
      done
    }

    # Runs a command without the options that would set how a copy is mounted: the pool decides that. Hosts
    # send them to archivers that do not.
    without_mounts() {
      local kept=()
      while [ "$#" -gt 0 ]; do
        case "$1 ''${2:-}" in
          "-x mountpoint") shift ;;
          "-o canmount="*) shift ;;
          "-o mountpoint="*) shift ;;
          "-o readonly="*) shift ;;
          "-o volmode="*) shift ;;
          *) kept+=( "$1" ) ;;
        esac
        shift
      done
      "''${kept[@]}"
    }

    # Commands of a line run one after the other, and the lock stays until one of the other kind comes.
    start() {
      case "$1 ''${2:-}" in
        "zfs recv") set -- zfs receive "''${@:3}" ;;
      esac
      case "$1 ''${2:-}" in
        # Up to ZFS 2.3 a create by anybody but root fails at the mounting, unless it is left out.
        "zfs create") without_mounts zfs create -u "''${@:3}" ;;
        "zfs receive")
          enter receive send
          without_mounts "$@"
          ;;
        "zfs send")
          # A dry run sends nothing.
          if [ "''${3:-}" != -n ]; then
            enter send receive
            no_foreign_origins
          fi
          "$@"
          ;;
        *) "$@" ;;
      esac
    }

    # A host may pack its streams (`stream_compression`). The question mark is the sign of a pipe, which
    # no user data may have.
    unpack=""
    commands="$asked"
    case "$asked" in
      "zstd -q -d -c "?" { "*"; }")
        unpack=1
        commands="''${asked:18:-3}"
        ;;
    esac

    # Runs a function for each command, until one fails. `&&` is in no word, but between commands.
    each() {
      local word command=()
      for word in "''${words[@]}" "&&"; do
        if [ "$word" != "&&" ]; then
          command+=( "$word" )
          if [ -n "''${command[most_words]+more}" ]; then refuse; fi
          continue
        fi
        if "$1" "''${command[@]}"; then :; else exit; fi
        command=()
      done
    }

    if [ -z "$asked" ]; then
      echo "a host's key has no shell, these are its backups; $administrator" >&2
      exec zfs list -r -o name,used,logicalused "''${targets[@]}"
    fi

    # A look at a text takes as long as the text, so the command is read in blocks, of which none is
    # used up before the next one is there.
    plain='^[A-Za-z0-9_./:@%=,+#-]+'
    quoted="^[^'&]+"
    inside='^[^"\$`&]+'
    escaped='^\\(["\$`])'
    open=""
    words=()
    word=""
    begun=""
    commands+=" "
    at=0
    rest="''${commands:0:512}"
    while [ -n "$rest" ]; do
      took=""
      if [ "$open" = "'" ] && [[ $rest =~ $quoted ]]; then
        word+="''${BASH_REMATCH[0]}"
      elif [ "$open" = '"' ] && [[ $rest =~ $inside ]]; then
        word+="''${BASH_REMATCH[0]}"
      elif [ "$open" = '"' ] && [[ $rest =~ $escaped ]]; then
        word+="''${BASH_REMATCH[1]}"
      elif [ -n "$open" ] && [ "''${rest:0:1}" = "$open" ]; then
        took="$open"
        open=""
      elif [ -n "$open" ]; then
        refuse
      elif [[ $rest =~ ^[\"\'] ]]; then
        open="''${BASH_REMATCH[0]}"
        begun=1
      elif [[ $rest =~ $plain ]]; then
        word+="''${BASH_REMATCH[0]}"
        begun=1
      elif [[ $rest =~ ^" "("&& ")? ]]; then
        if [ -n "$begun" ]; then words+=( "$word" ); fi
        word=""
        begun=""
        if [ "''${BASH_REMATCH[0]}" != " " ]; then words+=( "&&" ); fi
      else
        refuse
      fi
      if [ -z "$took" ]; then took="''${BASH_REMATCH[0]}"; fi
      if [ -n "''${word:longest_word}" ]; then refuse; fi
      rest="''${rest#"$took"}"
      if [ -z "''${rest:15}" ]; then
        at=$((at + 512))
        rest+="''${commands:at:512}"
      fi
    done
    if [ -n "$open" ]; then refuse; fi
    each check
    if [ -n "$unpack" ]; then
      each start < <(zstd -q -d -c)
    else
      each start
    fi
  '';

  # A host may power the archiver off, but not while another one has a session: that is a different
  # action, power-off-multiple-sessions. And it may start the unit below for itself.
  security.polkit = {
    enable = true;
    extraConfig = ''
      polkit.addRule(function (action, subject) {
        if (!subject.isInGroup("dormouse")) {
          return polkit.Result.NOT_HANDLED;
        }
        if (action.id == "org.freedesktop.login1.power-off") {
          return polkit.Result.YES;
        }
        // systemd writes a hyphen of its name like this.
        var own = "dormouse-abandon@" + subject.user.replace(/-/g, "\\x2d") + ":";
        if (
          action.id == "org.freedesktop.systemd1.manage-units" &&
          action.lookup("verb") == "start" &&
          action.lookup("unit").indexOf(own) == 0
        ) {
          return polkit.Result.YES;
        }
        return polkit.Result.NOT_HANDLED;
      });
    '';
  };

  # Whoever may launch the image chooses its user data. It takes nothing from there but its host key, and goes on only
  # with the one that hosts know. The instance that an image is made of starts once more for it, with a key of its own;
  # the mark in the image is its id, which no other instance has.
  systemd.services.dormouse-identity = {
    description = "Power-off of an instance with another host key";
    wantedBy = [ "multi-user.target" ];
    before = [ "sshd.service" ];
    after = [
      "apply-ec2-data.service"
      "sshd-keygen.service"
    ];
    path = [
      pkgs.curl
      pkgs.openssh
    ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      StandardOutput = "journal+console";
    };
    script = ''
      if ! [ -e /var/lib/dormouse/baked ]; then
        exit 0
      fi
      # Without a key that it can read it ends too.
      if ! found="$(ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key)"; then
        found=
      fi
      read -r type key _ <<<"$found"
      if [ "$type $key" = ${lib.escapeShellArg hostKey} ]; then
        exit 0
      fi
      service=http://169.254.169.254/latest
      ask() {
        curl -sSf -m 10 "$@"
      }
      if token="$(ask -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $service/api/token)" &&
        self="$(ask -H "X-aws-ec2-metadata-token: $token" $service/meta-data/instance-id)" &&
        [ -n "$self" ] && [ "$self" = "$(</var/lib/dormouse/baked)" ]; then
        exit 0
      fi
      echo "dormouse: this image belongs to the host key ${hostKey}, and the user data gave another: powering off"
      systemctl --no-block poweroff
    '';
  };

  # The volume is attached to the running instance, so the pool is imported when its disk appears.
  # udev writes a space of its name as an underscore.
  services.udev.extraRules = ''
    SUBSYSTEM=="block", ENV{ID_FS_TYPE}=="zfs_member", ENV{ID_FS_LABEL}=="${
      builtins.replaceStrings [ " " ] [ "_" ] pool
    }", TAG+="systemd", ENV{SYSTEMD_WANTS}+="dormouse-pool.service"
  '';

  # A disk that was attached before this system was switched to has its event behind it.
  systemd.services.dormouse-volume = {
    description = "Look for a volume that is attached already";
    wantedBy = [ "multi-user.target" ];
    after = [ "systemd-udevd.service" ];
    serviceConfig.Type = "oneshot";
    script = "udevadm trigger --action=change --subsystem-match=block";
  };

  systemd.services.dormouse-pool = {
    description = "Pool ${pool}";
    # Units stop in the opposite order: first the sessions that use the pool, then the pool.
    before = [
      "sshd.service"
      "systemd-user-sessions.service"
    ];
    path = [
      pkgs.kmod
      zfs
    ];
    unitConfig = {
      StartLimitIntervalSec = 600;
      StartLimitBurst = 20;
    };
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      Restart = "on-failure";
      RestartSec = 5;
      TimeoutStopSec = "10min";
    };
    script = ''
      # Before the first reboot modprobe looks into the booted system, which had no ZFS.
      if ! [ -e /sys/module/zfs ]; then
        if ! modprobe zfs; then
          modprobe -d /run/current-system/kernel-modules zfs
        fi
        # Until udev has seen /dev/zfs only root may use it.
        udevadm settle
      fi

      # -N mounts nothing, so nothing keeps the pool from being exported. Without a cache file no
      # later boot looks for a volume that is not there yet.
      if ! zpool list ${lib.escapeShellArg pool}; then
        zpool import -N -o cachefile=none -d /dev/disk/by-id ${lib.escapeShellArg pool}
      fi

      keep() {
        if [ "$(zfs get -H -o value "$1" ${lib.escapeShellArg pool})" != "$2" ]; then
          zfs set "$1=$2" ${lib.escapeShellArg pool}
        fi
      }

    ''
    + lib.concatMapStrings (property: ''
      keep ${lib.escapeShellArgs [ property kept.${property} ]}
    '') (builtins.attrNames kept)
    + ''

      exists() {
        zfs list -H -o name "$1" >/dev/null 2>&1
      }

      # Where ZFS has it, a host may add to its copies, and `zfs receive -F` is denied. Beside `receive` this
      # right would mean nothing (zfs-allow(8) of OpenZFS 2.4).
      receive=receive
      case "$(zfs version)" in
        zfs-2.[4-9]*) receive=receive:append ;;
        zfs-2.[1-9][0-9]*) receive=receive:append ;;
        zfs-[3-9]*) receive=receive:append ;;
      esac
      permissions=${lib.escapeShellArg permissions}
      permissions="''${permissions/receive/$receive}"

      # Targets, and the user of each.
      targets=()
      users=()
    ''
    + lib.concatMapStrings (
      user:
      lib.concatMapStrings (target: ''
        targets+=( ${lib.escapeShellArg target} )
        users+=( ${lib.escapeShellArg user} )
      '') hosts.${user}.targets
    ) (builtins.attrNames hosts)
    + ''

      declare -A there
      for target in "''${targets[@]}"; do
        if exists "$target"; then there["$target"]=1; fi
      done

      # Whether this configuration grants what a line of `zfs allow` says, the section's name first.
      is_wanted() {
        local dataset="$1" line="$2" i user target
        for i in "''${!targets[@]}"; do
          user="''${users[i]}" target="''${targets[i]}"
          if [ "$dataset" = "''${target%/*}" ] && [ -z "''${there["$target"]:-}" ]; then
            case "$line" in
              "Local user $user create,mount,$receive") return 0 ;;
              "Create $permissions") return 0 ;;
            esac
          fi
          case "$dataset/" in
            "$target"/*)
              if [ "$line" = "Local+Descendent user $user $permissions" ]; then return 0; fi
              ;;
          esac
        done
        return 1
      }

      # Takes back what a dataset grants by itself and this configuration does not: to users of older
      # images, whose numbers may be others' today, to hosts that left, and to those that moved.
      revoke() {
        local dataset="$1" listed line section="" own="" who
        listed="$(zfs allow "$dataset")"
        while IFS= read -r line; do
          case "$line" in
            "---- Permissions on "*)
              line="''${line#"---- Permissions on $dataset "}"
              own=""
              if [ -z "''${line//-/}" ]; then own=1; fi
              continue
              ;;
            *:)
              section="''${line%% *}"
              continue
              ;;
          esac
          line="''${line#"''${line%%[![:space:]]*}"}"
          if [ -z "$own" ]; then continue; fi
          if [ -z "$line" ]; then continue; fi
          if is_wanted "$dataset" "$section $line"; then continue; fi
          echo "$dataset: revoking $section $line"
          who="''${line#* }"
          who="''${who#"(unknown: "}"
          who="''${who%% *}"
          who="''${who%)}"
          case "$section $line" in
            "Permission "*) zfs unallow -s "''${line%% *}" "$dataset" ;;
            "Create "*) zfs unallow -c "$dataset" ;;
            *" user "*) zfs unallow -u "$who" "$dataset" ;;
            *" group "*) zfs unallow -g "$who" "$dataset" ;;
            *" everyone "*) zfs unallow -e "$dataset" ;;
            *)
              echo "cannot read the rights on $dataset: $line" >&2
              return 1
              ;;
          esac
        done <<<"$listed"
      }

      # The first receive creates the target, which its parent must allow; the host that creates it
      # may go on with it. Once it is there, nothing else may be created beside it. The parent itself is made
      # by `dormouse up`.
      delegate() {
        local user="$1" target="$2" parent="''${2%/*}"
        if [ -n "''${there["$target"]:-}" ]; then
          zfs allow -u "$user" "$permissions" "$target"
        elif exists "$parent"; then
          zfs allow -l -u "$user" "create,mount,$receive" "$parent"
          zfs allow -c "$permissions" "$parent"
        fi
      }

      # All datasets after a change of the configuration; otherwise those that rights are granted on, and
      # those above them.
      places() {
        local dataset
        if [ "$before" != ${granted} ]; then
          zfs list -H -r -t filesystem,volume -o name ${lib.escapeShellArg pool}
          return
        fi
        for dataset in "''${targets[@]}"; do
          while :; do
            if exists "$dataset"; then echo "$dataset"; fi
            case "$dataset" in
              */*) dataset="''${dataset%/*}" ;;
              *) break ;;
            esac
          done
        done
      }

      before="$(zfs get -H -s local -o value dormouse:granted ${lib.escapeShellArg pool})"
      places="$(places)"
      declare -A seen
      while IFS= read -r place; do
        if [ -z "$place" ]; then continue; fi
        if [ -n "''${seen["$place"]:-}" ]; then continue; fi
        seen["$place"]=1
        revoke "$place"
      done <<<"$places"
    ''
    + lib.concatMapStrings (
      user:
      lib.concatMapStrings (target: ''
        delegate ${lib.escapeShellArgs [ user target ]}
      '') hosts.${user}.targets
    ) (builtins.attrNames hosts)
    + ''
      if [ "$before" != ${granted} ]; then
        zfs set dormouse:granted=${granted} ${lib.escapeShellArg pool}
      fi
    '';
    preStop = ''
      if zpool list ${lib.escapeShellArg pool}; then
        zpool export ${lib.escapeShellArg pool}
      fi
    '';
  };

  # `zfs receive -A` asks for the right to destroy. For a host this does it, and only to a target of its
  # own: `%I` is the user and the dataset, whose partial data are no snapshot yet.
  systemd.services."dormouse-abandon@" = {
    description = "Partial data that %I gives up";
    path = [ zfs ];
    serviceConfig.Type = "oneshot";
    scriptArgs = "%I";
    script = ''
      allow() {
        case "$1/" in
          "$2"/*) exec zfs receive -A "''${1#*:}" ;;
        esac
      }
    ''
    + lib.concatMapStrings (
      user:
      lib.concatMapStrings (target: ''
        allow "$1" ${lib.escapeShellArg "${user}:${target}"}
      '') hosts.${user}.targets
    ) (builtins.attrNames hosts)
    + ''
      echo "$1: no target of this host" >&2
      exit 1
    '';
  };

  # A scrub that is cut off goes on at the next import, so its beginning is what counts.
  systemd.services.dormouse-scrub = {
    description = "Scrub of ${pool}, if one is due";
    wantedBy = [ "dormouse-pool.service" ];
    after = [ "dormouse-pool.service" ];
    path = [ zfs ];
    serviceConfig.Type = "oneshot";
    script = ''
      now="$(date +%s)"
      last="$(zfs get -H -o value dormouse:scrub-began ${lib.escapeShellArg pool})"
      if [ "$last" = "-" ]; then
        last=0
      fi
      if [ "$((now - last))" -ge ${toString scrubPeriod} ]; then
        zpool scrub ${lib.escapeShellArg pool}
        zfs set "dormouse:scrub-began=$now" ${lib.escapeShellArg pool}
      fi
    '';
  };

  # Tells hosts which of their datasets have lost data: the list that ZFS keeps is for root, and names
  # the files of others. Only a dataset whose own name the property has is hit; those below inherit it.
  systemd.services.dormouse-damage = {
    description = "Datasets of ${pool} that have lost data";
    wantedBy = [ "dormouse-pool.service" ];
    after = [
      "dormouse-pool.service"
      "dormouse-scrub.service"
    ];
    path = [ zfs ];
    serviceConfig.Type = "oneshot";
    script = ''
      zpool wait -t scrub ${lib.escapeShellArg pool}
      status="$(zpool status -v ${lib.escapeShellArg pool})"
      # Without this line ZFS could not read its list, which is not an empty one.
      case "$status" in
        *"errors: "*) ;;
        *) exit 1 ;;
      esac
      declare -A damaged

      # `dataset:/path`, `dataset@snapshot:/path`, or the number of an object in angle brackets instead.
      while IFS= read -r place; do
        place="''${place#"''${place%%[! ]*}"}"
        name="''${place%%:[/<]*}"
        name="''${name%%@*}"
        if [ "$name" != "$place" ] && zfs list -H -o name "$name" >/dev/null 2>&1; then
          damaged["$name"]=1
        fi
      done <<<"$status"

      marked="$(zfs get -H -r -t filesystem,volume -s local -o name dormouse:damaged ${lib.escapeShellArg pool})"
      while IFS= read -r name; do
        if [ -n "$name" ] && [ -z "''${damaged["$name"]:-}" ]; then
          zfs inherit dormouse:damaged "$name"
        fi
      done <<<"$marked"
      for name in "''${!damaged[@]}"; do
        zfs set "dormouse:damaged=$name" "$name"
      done
    '';
  };

  # Lets snapshots go, and writes to /run/dormouse-prune/record what became of each, and why. A host
  # could flood its datasets with new snapshots; so an old one stays until its time is over too, which
  # begins with its creation, and that no host can change any more.
  systemd.services.dormouse-prune = {
    description = "Snapshots that retention lets go";
    wantedBy = [ "dormouse-pool.service" ];
    after = [ "dormouse-pool.service" ];
    path = [ zfs ];
    serviceConfig = {
      Type = "oneshot";
      # Else whatever asks for the pool, which is there already, would have this done once more.
      RemainAfterExit = true;
      RuntimeDirectory = "dormouse-prune";
      RuntimeDirectoryPreserve = true;
    };
    script = ''
      record="$RUNTIME_DIRECTORY/record"
      now="$(date +%s)"
      targets=( ${
        lib.escapeShellArgs (builtins.concatMap (user: hosts.${user}.targets) (builtins.attrNames hosts))
      } )
      declare -A keep period seen batch
      keep=( [frequent]=4 [hourly]=48 [daily]=31 [weekly]=13 [monthly]=36 )
      period=( [frequent]=900 [hourly]=3600 [daily]=86400 [weekly]=604800 [monthly]=2678400 )

      exists() {
        zfs list -H -o name "$1" >/dev/null 2>&1
      }

      verdict() {
        printf '%s\t%s\t%s\n' "$1" "$name" "$2"
      }

      # Reads snapshots, the newest first: one whose listing was cut off lets nothing more go.
      decide() {
        local name created holds clones dataset label class most rank
        while IFS=$'\t' read -r name created holds clones; do
          dataset="''${name%@*}"
          label="''${name#*@zfs-auto-snap_}"
          class="''${label%%-*}"
          # An array of bash knows no empty key.
          class="''${class:--}"
          if [ "$label" = "$name" ]; then
            verdict keep "not automatic"
            continue
          fi
          rank="''${seen["$dataset@$class"]:-0}"
          seen["$dataset@$class"]="$((rank + 1))"
          most="''${keep["$class"]:-}"
          if [ -z "''${seen["$dataset"]:-}" ]; then
            seen["$dataset"]=1
            verdict keep "the newest"
          elif [ -z "$most" ]; then
            verdict keep "its class is kept whole"
          elif [ "$rank" -lt "$most" ]; then
            verdict keep "one of the newest $most $class"
          elif [ "$((now - created))" -lt "$((most * ''${period["$class"]}))" ]; then
            verdict keep "younger than $((most * ''${period["$class"]})) s"
          elif [ "$holds" != 0 ]; then
            verdict keep "held"
          elif [ "''${clones:--}" != - ]; then
            verdict keep "cloned"
          else
            verdict destroy "more than $most $class"
          fi
        done
      }

      for target in "''${targets[@]}"; do
        if exists "$target"; then
          decide < <(
            zfs list -H -p -r -t snapshot -S createtxg -o name,creation,userrefs,clones "$target"
          )
        fi
      done >"$record.new"
      mv "$record.new" "$record"

      failed=0
      flush() {
        if [ -n "''${batch["$1"]:-}" ] && ! zfs destroy "$1@''${batch["$1"]}"; then
          failed=1
        fi
        batch["$1"]=""
      }

      while IFS=$'\t' read -r what name _; do
        if [ "$what" = destroy ]; then
          dataset="''${name%@*}"
          batch["$dataset"]="''${batch["$dataset"]:+''${batch["$dataset"]},}''${name#*@}"
          if [ -n "''${batch["$dataset"]:20000}" ]; then
            flush "$dataset"
          fi
        fi
      done <"$record"
      for dataset in "''${!batch[@]}"; do
        flush "$dataset"
      done
      exit "$failed"
    '';
  };

  # Powers off after `linger` without session, receive, import or scrub; a start that nobody
  # follows up counts from here. Uptime, because the clock may be set in between.
  systemd.services.dormouse-idle = {
    description = "Power-off of an idle archiver";
    path = [
      pkgs.procps
      zfs
    ];
    serviceConfig = {
      Type = "oneshot";
      RuntimeDirectory = "dormouse-idle";
      RuntimeDirectoryPreserve = true;
    };
    script = ''
      since=/run/dormouse-idle/since
      read -r uptime _ </proc/uptime
      now="''${uptime%%.*}"

      # What a client left running when it went keeps its session closing. A host's is ended, for no
      # run of it needs that; the administrator's goes on, and counts as what it is. Since systemd
      # 256 each user's service manager is listed too.
      in_session() {
        local session uid found=1
        while read -r session uid _; do
          case "$(loginctl show-session --property=Class --property=State "$session")" in
            *Class=manager*) ;;
            *State=closing*)
              if [ "$uid" != 0 ]; then loginctl kill-session "$session"; fi
              ;;
            *) found=0 ;;
          esac
        done < <(loginctl list-sessions --no-legend)
        return "$found"
      }

      busy() {
        if in_session; then return 0; fi
        if pgrep -x zfs >/dev/null; then return 0; fi
        if pgrep -x zpool >/dev/null; then return 0; fi
        case "$(zpool status ${lib.escapeShellArg pool} 2>&1)" in
          *" in progress since "*) return 0 ;;
        esac
        return 1
      }

      if busy; then
        echo "$now" >"$since"
        exit 0
      fi
      if ! [ -e "$since" ]; then
        echo "$now" >"$since"
      fi
      if [ "$((now - $(cat "$since")))" -ge ${toString linger} ]; then
        systemctl poweroff
      fi
    '';
  };

  systemd.timers.dormouse-idle = {
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnActiveSec = 5;
      OnUnitInactiveSec = 5;
      AccuracySec = "1s";
    };
  };

  # Whatever it does by then: what lives longer is stuck, and costs money.
  systemd.services.dormouse-max-lifetime = {
    description = "Power-off of an archiver that lived too long";
    serviceConfig.Type = "oneshot";
    script = "systemctl poweroff";
  };

  systemd.timers.dormouse-max-lifetime = {
    wantedBy = [ "timers.target" ];
    timerConfig.OnBootSec = maxLifetime;
  };
}
