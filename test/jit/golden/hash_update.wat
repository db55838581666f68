(func $bpf:test:f0 (param i32 i64 i64 i64 i64 i64) (result i64)
  (local 5 i64)
  (local 1 i32)
  local.get 0
  i32.const 16
  i32.sub
  local.tee 11
  local.get 1
  i64.store offset=8
  local.get 0
  i64.extend_i32_u
  local.tee 2
  i64.const -8
  i64.add
  local.tee 2
  local.set 3
  i64.const 135168
  local.set 1
  i64.const 0
  local.set 4
  local.get 1
  i32.wrap_i64
  local.get 2
  i32.wrap_i64
  local.get 3
  i32.wrap_i64
  local.get 4
  call $env.core.htab_update_elem
  i64.extend_i32_s
  local.tee 6
  return
  unreachable
)
