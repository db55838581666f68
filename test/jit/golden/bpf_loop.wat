(func $bpf:test:f0 (param i32 i64 i64 i64 i64 i64) (result i64)
  (local 5 i64)
  (local 1 i32)
  (local 1 i64)
  local.get 0
  i32.const 16
  i32.sub
  local.set 11
  i64.const 10
  local.set 1
  i64.const 257
  local.set 2
  local.get 0
  i64.extend_i32_u
  local.tee 3
  i64.const -8
  i64.add
  local.set 3
  i64.const 0
  local.tee 4
  i64.eqz
  if (result i64)
    local.get 1
    i32.wrap_i64
    i32.const 8388608
    i32.le_u
    if (result i64)
      i64.const 0
      local.set 12
      block
        loop
          local.get 12
          i32.wrap_i64
          local.get 1
          i32.wrap_i64
          i32.ge_u
          br_if 1
          local.get 11
          local.get 12
          local.get 3
          i64.const 0
          i64.const 0
          i64.const 0
          call $bpf:test:f1
          local.get 12
          i64.const 1
          i64.add
          local.set 12
          i64.eqz
          br_if 0
        end
      end
      local.get 12
    else
      i64.const -7
    end
  else
    i64.const -22
  end
  local.tee 6
  return
  unreachable
)
(func $bpf:test:f1 (param i32 i64 i64 i64 i64 i64) (result i64)
  (local 5 i64)
  (local 1 i32)
  local.get 0
  i32.const 16
  i32.sub
  local.set 11
  local.get 2
  i32.wrap_i64
  i64.load
  local.tee 6
  return
  unreachable
)
