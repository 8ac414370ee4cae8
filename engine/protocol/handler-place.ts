/**
 * Which of the host's functions failed. `adapter`: a listener of an adapter. `module`, `teardown`: the default export
 * of a handler module, and what it exports by that name. `setup`: it could not be loaded or set up on a shard that
 * came back.
 */
export type HandlerPlace =
  | 'listener'
  | 'module'
  | 'setup'
  | 'teardown'
  | 'subscriber'
  | 'stderr'
  | 'onConnected'
  | 'onLoss'
  | 'onStateChange'
  | 'heartbeat'
  | 'validate'
  | 'adapter'
  | 'onError'
  | 'onLog'
