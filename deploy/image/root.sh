#!/bin/sh
# Builds the root file system of the image: `root.sh <folder of built programs> <new folder>`.
# deploy/Dockerfile runs it, and so does the test that starts the result without Docker.
set -eu
export LC_ALL=C

here=$(dirname "$0")
built=$1
root=$2
[ ! -e "$root" ] || { echo "error: $root exists; name a new folder" >&2; exit 1; }
mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/data" "$root/tmp"
chmod 1777 "$root/tmp"

while read -r program; do
    strip -o "$root/usr/local/bin/$program" "$built/$program"
    chmod 0755 "$root/usr/local/bin/$program"
done < "$here/programs"

# Lines of ldd: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, `/lib64/ld-linux-….so.2 (0x…)`,
# and one for the kernel's own library, which is no file.
libraries=$(ldd "$root"/usr/local/bin/* | sed -n 's/^[[:space:]]*\(.*=> \)\{0,1\}\(\/.*\) (0x.*/\2/p' | sort -u)
needed=$(for library in $libraries; do basename "$library" | sed 's/^\(ld-linux\)-.*/\1/'; done | sort)
if [ "$needed" != "$(sort "$here/libraries")" ]; then
    echo "error: the programs need these libraries; list them in deploy/image/libraries:" >&2
    echo "$needed" >&2
    exit 1
fi
for library in $libraries; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
    # Debian lists a file of /usr/lib under /lib or /usr/lib.
    path=$(readlink -f "$library")
    package=$({ dpkg -S "$path" || dpkg -S "${path#/usr}"; } 2>/dev/null | cut -d: -f1)
    mkdir -p "$root/usr/share/doc/$package"
    cp -L "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
done

# For connections to a collector or database over TLS.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
echo 'proffer:x:65532:65532:Proffer:/data:/nonexistent' > "$root/etc/passwd"
echo 'proffer:x:65532:' > "$root/etc/group"
