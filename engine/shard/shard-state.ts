/** The life of a shard. `stopped`: its thread has ended because it was asked to; `lost`: for any other reason. */
export type ShardState = 'booting' | 'up' | 'stopping' | 'stopped' | 'lost'

/** `started`: the shard has said that it is up. `exited`: its thread's task has returned. `failed`: it has died. */
export type ShardEvent = 'started' | 'stop' | 'exited' | 'failed'

export function nextShardState(state: ShardState, event: ShardEvent): ShardState {
  if (state === 'stopped' || state === 'lost') return state
  switch (event) {
    case 'started':
      return state === 'booting' ? 'up' : state
    case 'stop':
      return 'stopping'
    case 'exited':
      return state === 'stopping' ? 'stopped' : 'lost'
    case 'failed':
      return 'lost'
  }
}
