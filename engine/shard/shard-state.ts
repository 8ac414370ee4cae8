/** The life of a shard. `stopped`: its thread has ended because it was asked to; `lost`: for any other reason. */
export type ShardState = 'booting' | 'up' | 'stopping' | 'stopped' | 'lost'

/** `started`: the shard has said that it is up. `exited`: its thread's task has returned. `failed`: it has died. */
export type ShardEvent = 'started' | 'stop' | 'exited' | 'failed'

const transitions: Record<ShardState, Partial<Record<ShardEvent, ShardState>>> = {
  booting: { started: 'up', stop: 'stopping', exited: 'lost', failed: 'lost' },
  up: { stop: 'stopping', exited: 'lost', failed: 'lost' },
  stopping: { exited: 'stopped', failed: 'lost' },
  stopped: {},
  lost: {},
}

export function nextShardState(state: ShardState, event: ShardEvent): ShardState {
  return transitions[state][event] ?? state
}
