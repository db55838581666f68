#!/usr/bin/env bash
# Records what the running Linux says to programs that the conformance figures were not tuned on (see record/record_bpf.c).
#   record.sh DIR test_verifier [SOURCE]   the tables of the kernel's test_verifier; SOURCE is a Debian kernel source package (default linux-source-6.12)
#   record.sh DIR objects NAME FILE...     each program of BPF objects, loaded alone by libbpf
#   record.sh DIR embedded NAME FILE...    the same for objects inside other files (tools with skeletons)
# Writes DIR/NAME.jsonl. Sources come from Debian packages and stay in DIR. Needs root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mkdir -p "$1" && cd "$1" && pwd)
what=$2
shift 2

need() {
	[ -e "$1" ] || { apt-get update -qq && apt-get install -y -qq "$2" >/dev/null; }
}
need /usr/include/libelf.h libelf-dev
need /usr/include/zlib.h zlib1g-dev
need /usr/include/sys/capability.h libcap-dev

unpack() {
	local source=$1
	need "/usr/src/$source.tar.xz" "$source"
	[ -d "$dir/$source" ] || tar -C "$dir" -xf "/usr/src/$source.tar.xz" --wildcards '*/tools/testing/selftests/bpf/*' '*/tools/lib/*' '*/tools/include/*' \
		'*/tools/arch/*' '*/kernel/bpf/*'
}

unpack linux-source-6.12
tree=$dir/linux-source-6.12
if [ ! -e "$dir/libbpf.so" ]; then
	mkdir -p "$dir/libbpf" "$dir/include/bpf"
	cp "$tree"/tools/lib/bpf/*.h "$dir/include/bpf/"
	for f in "$tree"/tools/lib/bpf/*.c; do
		gcc -O1 -fPIC -w -D_GNU_SOURCE -D_LARGEFILE64_SOURCE -D_FILE_OFFSET_BITS=64 -I"$tree/tools/include" -I"$tree/tools/include/uapi" -c "$f" \
			-o "$dir/libbpf/$(basename "$f" .c).o"
	done
	gcc -shared -o "$dir/libbpf.so" "$dir"/libbpf/*.o -lelf -lz
fi
gcc -shared -fPIC -O1 -I"$tree/tools/include/uapi" -o "$dir/record.so" "$here/record/record_bpf.c" -ldl

record() {
	local out=$1
	shift
	rm -f "$out"
	RECORD_BPF=$out LD_PRELOAD=$dir/record.so "$@" >/dev/null
	echo "$out"
}

case $what in
test_verifier)
	source=${1:-linux-source-6.12}
	unpack "$source"
	tests=$dir/$source/tools/testing/selftests/bpf
	mkdir -p "$dir/gen-$source/verifier"
	{
		echo "#ifdef FILL_ARRAY"
		for f in "$tests"/verifier/*.c; do echo "#include \"$(basename "$f")\""; done
		echo "#endif"
	} >"$dir/gen-$source/verifier/tests.h"
	cp "$tests/test_verifier.c" "$dir/gen-$source/test_verifier_of_kernel.c"
	gcc -w -O1 -D_GNU_SOURCE -I"$dir/gen-$source" -I"$tests" -I"$tests/verifier" -I"$dir/$source/tools/include" -I"$dir/$source/tools/include/uapi" \
		-I"$dir/include" "$here/record/test_verifier.c" \
		$(ls "$tests"/{cap_helpers,unpriv_helpers,testing_helpers,disasm,btf_helpers}.c 2>/dev/null) -o "$dir/test_verifier-$source" \
		"$dir/libbpf.so" -lelf -lz -lcap
	RECORD_NO_PERFMON=1 record "$dir/test_verifier-$source.jsonl" "$dir/test_verifier-$source"
	;;
objects | embedded)
	name=$1
	shift
	files=("$@")
	if [ "$what" = embedded ]; then
		python3 "$here/record/extract_objects.py" "$dir/$name" "$@"
		files=("$dir/$name"/*.o)
	fi
	gcc -O1 -I"$tree/tools/include/uapi" -I"$dir/include" -o "$dir/load_alone" "$here/record/load_alone.c" "$dir/libbpf.so" -lelf -lz
	record "$dir/$name.jsonl" "$dir/load_alone" "${files[@]}"
	;;
*)
	echo "record.sh: '$what'; test_verifier, objects or embedded wanted" >&2
	exit 2
	;;
esac
