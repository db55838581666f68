#!/usr/bin/env bash
# Rebuilds the .o files that are committed beside their .c, with clang from Debian (packages clang-19, llvm-19 and
# libbpf-dev). usage: npm run fixtures [FILE.c ...]
set -euo pipefail
cd "$(dirname "$0")/.."
clang=$(command -v clang-19 || command -v clang || true)
if [ -z "$clang" ]; then
	echo "fixtures: no clang found; install the Debian packages clang-19, llvm-19 and libbpf-dev" >&2
	exit 2
fi
strip=$(command -v llvm-strip-19 || command -v llvm-strip || true)
if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(git ls-files 'src/*.c' 'examples/*.c' 'test/*.c' 'bench/*.c'); fi
for c in "${files[@]}"; do
	o=${c%.c}.o
	flags=(-O2 -g -mcpu=v3)
	# A first line "// clang: FLAGS" adds to the flags of one file.
	read -r -a extra < <(sed -n '1,3s#^// clang: ##p' "$c" | head -1; echo) || true
	"$clang" "${flags[@]}" ${extra[@]+"${extra[@]}"} --target=bpf -D__TARGET_ARCH_x86 -fdebug-prefix-map="$PWD"=. \
		-I"/usr/include/$(uname -m)-linux-gnu" -c "$c" -o "$o"
	if [ -n "$strip" ]; then "$strip" -g "$o"; fi
	echo "$o"
done
