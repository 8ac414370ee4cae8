/**
 * Which of the host's functions failed. `adapter`: a listener of an adapter. `module`, `teardown`: the default export
 * of a handler module, and what it exports by that name.
 */
export type HandlerPlace =
  | 'listener'
  | 'module'
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
