(func $bpf:test:f0 (param i32 i64 i64 i64 i64 i64) (result i64)
  (local 5 i64)
  (local 1 i32)
  block
    i64.const 0
    local.set 6
    local.get 1
    i64.eqz
    if
      i32.const 0
      local.set 11
      br 1
    end
    i32.const 1
    local.set 11
  end
  block
    loop
      block
        block
          local.get 11
          br_table 1 0 1
        end
        local.get 6
        i64.const 1
        i64.add
        local.tee 6
        i64.const 9
        i64.gt_u
        br_if 2
        i32.const 0
        local.set 11
        br 1
      end
      local.get 6
      i64.const 3
      i64.add
      local.set 6
      i32.const 1
      local.set 11
      br 0
    end
  end
  local.get 6
  return
  unreachable
)
