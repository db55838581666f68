(func $bpf:test:f0 (param i32 i64 i64 i64 i64 i64) (result i64)
  (local 5 i64)
  (local 1 i32)
  local.get 0
  i32.const 512
  i32.sub
  local.set 11
  i64.const 1
  local.set 2
  local.get 1
  i32.wrap_i64
  local.get 2
  i64.atomic.rmw.add offset=8
  local.tee 2
  local.tee 6
  return
  unreachable
)
