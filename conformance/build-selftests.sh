#!/usr/bin/env bash
# Builds the BPF selftest programs of Linux 6.12 into DIR, one object for each source, so that skep's verdicts can be
# held against Linux's. Sources, compiler and headers come from Debian packages; nothing of it is part of this project.
#   usage: build-selftests.sh DIR        (a second call only builds what is missing)
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
archive=/usr/src/linux-source-6.12.tar.xz

need=()
command -v clang-19 >/dev/null || need+=(clang-19)
command -v bpftool >/dev/null || need+=(bpftool)
command -v python3 >/dev/null || need+=(python3)
[ -e "$archive" ] || need+=(linux-source-6.12)
[ -e /usr/include/linux/bpf.h ] || need+=(linux-libc-dev libc6-dev)
if [ ${#need[@]} -gt 0 ]; then
	echo "installing ${need[*]}" >&2
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${need[@]}" xz-utils >/dev/null
fi
[ -e /sys/kernel/btf/vmlinux ] || { echo "the selftests include types of the running kernel: /sys/kernel/btf/vmlinux is missing" >&2; exit 2; }

tree=$dir/src/linux-source-6.12
if [ ! -e "$dir/src/.unpacked" ]; then
	mkdir -p "$dir/src"
	tar -C "$dir/src" -xf "$archive" --wildcards '*/tools/testing/selftests/bpf/*' '*/tools/lib/bpf/*' \
		'*/tools/include/*' '*/include/uapi/linux/bpf.h' '*/scripts/bpf_doc.py'
	touch "$dir/src/.unpacked"
fi
headers=$dir/include
mkdir -p "$headers/bpf"
cp "$tree"/tools/lib/bpf/{bpf_helpers,bpf_endian,bpf_tracing,bpf_core_read,usdt.bpf}.h "$headers/bpf/"
[ -s "$headers/bpf/bpf_helper_defs.h" ] ||
	python3 "$tree/scripts/bpf_doc.py" --header --file "$tree/tools/include/uapi/linux/bpf.h" >"$headers/bpf/bpf_helper_defs.h"
[ -s "$headers/vmlinux.h" ] || bpftool btf dump file /sys/kernel/btf/vmlinux format c >"$headers/vmlinux.h"

cd "$tree/tools/testing/selftests/bpf"
compile() {
	local out
	out=$DIR/$(basename "$1" .c).o
	[ -s "$out" ] && return 0
	clang-19 -g -O2 -mcpu=v3 --target=bpf -D__TARGET_ARCH_x86 -mlittle-endian -std=gnu11 -fno-strict-aliasing \
		-Wno-compare-distinct-pointer-types -DENABLE_ATOMICS_TESTS -I"$DIR/include" -I. -I../../../include/uapi \
		"-I/usr/include/$(uname -m)-linux-gnu" -idirafter /usr/include -c "$1" -o "$out" 2>/dev/null ||
		echo "does not compile here: $1" >&2
}
export -f compile
export DIR=$dir
printf '%s\n' progs/*.c | xargs -P "$(nproc)" -I{} bash -c 'compile {}'
echo "$(find "$dir" -maxdepth 1 -name '*.o' | wc -l) objects in $dir" >&2
