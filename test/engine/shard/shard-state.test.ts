import test from 'ava'
import { nextShardState, type ShardEvent, type ShardState } from '../../../engine/shard/shard-state.js'

const table: Record<ShardState, Record<ShardEvent, ShardState>> = {
  booting: { started: 'up', stop: 'stopping', exited: 'lost', failed: 'lost' },
  up: { started: 'up', stop: 'stopping', exited: 'lost', failed: 'lost' },
  stopping: { started: 'stopping', stop: 'stopping', exited: 'stopped', failed: 'lost' },
  stopped: { started: 'stopped', stop: 'stopped', exited: 'stopped', failed: 'stopped' },
  lost: { started: 'lost', stop: 'lost', exited: 'lost', failed: 'lost' },
}

for (const [state, row] of Object.entries(table) as [ShardState, Record<ShardEvent, ShardState>][]) {
  test(`what may become of a shard that is ${state}`, (t) => {
    for (const [event, next] of Object.entries(row) as [ShardEvent, ShardState][]) {
      t.is(nextShardState(state, event), next, event)
    }
  })
}
