(func $bpf:test:f0 (param i32 i64 i64 i64 i64 i64) (result i64)
  (local 6 i64)
  local.get 1
  i64.const -8
  i64.add
  local.tee 11
  i64.const 65536
  i64.sub
  memory.size
  i64.extend_i32_u
  i64.const 16
  i64.shl
  i64.const 65539
  i64.sub
  i64.lt_u
  if (result i64)
    local.get 11
    i32.wrap_i64
    i64.load32_u
  else
    i64.const 0
  end
  local.tee 6
  return
  unreachable
)
