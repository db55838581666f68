(func $bpf:test:f0 (param i32 i64 i64 i64 i64 i64) (result i64)
  (local 5 i64)
  (local 1 i32)
  local.get 0
  i32.const 512
  i32.sub
  local.set 11
  i64.const 0
  local.set 6
  i64.const 0
  local.set 2
  block
    loop
      local.get 1
      local.tee 3
      local.get 2
      i64.add
      local.tee 3
      i32.wrap_i64
      i64.load8_u offset=4
      local.tee 3
      i64.eqz
      br_if 1
      local.get 6
      local.get 3
      i64.add
      local.set 6
      local.get 2
      i64.const 1
      i64.add
      local.tee 2
      i64.const 64
      i64.lt_u
      br_if 0
      br 1
    end
  end
  local.get 6
  return
  unreachable
)
