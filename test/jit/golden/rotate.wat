(func $bpf:test:f0 (param i32 i64 i64 i64 i64 i64) (result i64)
  (local 5 i64)
  (local 1 i32)
  (local 1 i64)
  (local 1 i32)
  local.get 0
  i32.const 512
  i32.sub
  local.set 11
  local.get 1
  i32.wrap_i64
  i64.load
  local.tee 6
  local.tee 2
  local.set 12
  local.get 2
  i64.const 13
  i64.shl
  local.set 2
  local.get 6
  i64.const 51
  i64.shr_u
  local.set 6
  local.get 12
  i64.const 13
  i64.rotl
  local.tee 6
  i32.wrap_i64
  i64.extend_i32_u
  local.set 3
  local.get 6
  i32.wrap_i64
  i64.extend_i32_u
  local.set 4
  local.get 3
  i32.wrap_i64
  local.set 13
  local.get 3
  i32.wrap_i64
  i32.const 7
  i32.shl
  i64.extend_i32_u
  local.set 3
  local.get 4
  i32.wrap_i64
  i32.const 25
  i32.shr_u
  i64.extend_i32_u
  local.set 4
  local.get 13
  i32.const 7
  i32.rotl
  i64.extend_i32_u
  local.set 4
  local.get 6
  local.get 4
  i64.xor
  local.tee 6
  return
  unreachable
)
