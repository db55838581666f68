(func $bpf:test:f0 (param i32 i64 i64 i64 i64 i64) (result i64)
  (local 5 i64)
  (local 3 i32)
  local.get 0
  i32.const 512
  i32.sub
  local.set 11
  i64.const 139264
  local.set 2
  i64.const 1
  local.set 3
  block
    local.get 3
    i32.wrap_i64
    local.tee 12
    i32.const 4
    i32.ge_u
    br_if 0
    i32.const 0
    i32.load offset=49416
    local.tee 13
    i32.const 33
    i32.ge_u
    br_if 0
    local.get 12
    i32.const 8
    i32.mul
    i32.const 143360
    i32.add
    i32.load
    local.tee 12
    i32.eqz
    br_if 0
    i32.const 0
    local.get 13
    i32.const 1
    i32.add
    i32.store offset=49416
    local.get 0
    local.get 1
    i64.const 0
    i64.const 0
    i64.const 0
    i64.const 0
    local.get 12
    return_call_indirect (param i32 i64 i64 i64 i64 i64) (result i64)
  end
  i64.const 0
  local.tee 6
  return
  unreachable
)
