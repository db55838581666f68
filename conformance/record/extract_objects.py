#!/usr/bin/env python3
"""Finds BPF objects inside other files (skeletons of libbpf-tools, systemd, ...): extract_objects.py OUT FILE...

An object is an ELF header of a relocatable file for machine 247; its end is that of the section headers, or of the last section.
"""
import os, struct, sys

out, *files = sys.argv[1:]
os.makedirs(out, exist_ok=True)
for path in files:
    if not os.path.isfile(path) or os.path.islink(path):
        continue
    with open(path, "rb") as f:
        data = f.read()
    at, n = data.find(b"\x7fELF"), 0
    while at >= 0:
        if len(data) - at >= 64 and data[at + 4:at + 6] == b"\x02\x01" and struct.unpack_from("<HH", data, at + 16) == (1, 247):
            shoff, = struct.unpack_from("<Q", data, at + 40)
            shentsize, shnum = struct.unpack_from("<HH", data, at + 58)
            end = shoff + shentsize * shnum
            for i in range(shnum):
                if at + shoff + (i + 1) * shentsize > len(data):
                    break
                kind, = struct.unpack_from("<I", data, at + shoff + i * shentsize + 4)
                off, size = struct.unpack_from("<QQ", data, at + shoff + i * shentsize + 24)
                if kind != 8:
                    end = max(end, off + size)
            if at + end <= len(data):
                name = os.path.basename(path) + (f".{n}" if n else "") + ".o"
                with open(os.path.join(out, name), "wb") as f:
                    f.write(data[at:at + end])
                n += 1
        at = data.find(b"\x7fELF", at + 4)
print(f"{len(os.listdir(out))} objects in {out}")
