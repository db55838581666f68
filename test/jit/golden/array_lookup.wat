(func $bpf:test:f0 (param i32 i64 i64 i64 i64 i64) (result i64)
  (local 5 i64)
  (local 6 i32)
  (local 1 i64)
  local.get 0
  i32.const 16
  i32.sub
  local.set 11
  block
    i32.const 3
    local.set 12
    local.get 11
    i64.const 3
    i64.store32 offset=12
    local.get 0
    i64.extend_i32_u
    local.tee 2
    i64.const -4
    i64.add
    local.set 2
    i64.const 131072
    local.set 1
    local.get 12
    local.tee 13
    i32.const 16
    i32.lt_u
    if
      local.get 13
      i32.const 8
      i32.mul
      i32.const 196608
      i32.add
      local.set 15
      i32.const 1
      local.set 14
    else
      i32.const 0
      local.set 15
      i32.const 0
      local.set 14
    end
    local.get 15
    i64.extend_i32_u
    local.set 6
    local.get 14
    i32.eqz
    br_if 0
    i64.const 1
    local.set 1
    local.get 6
    i32.wrap_i64
    local.tee 16
    local.get 16
    i64.load
    local.tee 17
    local.get 1
    i64.add
    i64.store
  end
  i64.const 2
  local.tee 6
  return
  unreachable
)
