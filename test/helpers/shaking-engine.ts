/** An engine whose transports shake hands before each connection, and whose frames go over sockets all the same. */
import { parseEngineOptions } from '../../api/engine-options.js'
import { resolveEndpoint } from '../../api/endpoint.js'
import type { Engine, EngineOptions } from '../../api/index.js'
import { parseTransportOptions } from '../../api/transport-options.js'
import { createTransport } from '../../api/transport.js'
import { graceMs, readGraceMs } from '../../engine/common/call-options.js'
import { EngineCore } from '../../engine/core/engine-core.js'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'

export async function startShakingEngine(options: EngineOptions = {}, clock: Clock = systemClock): Promise<Engine> {
  const settings = parseEngineOptions(options)
  const core = new EngineCore(settings, clock)
  await core.booted
  const close: Engine['close'] = (given = {}) => core.close(() => readGraceMs(given, graceMs.engine))
  return {
    id: core.id,
    transport: (endpoint, given = {}) => {
      const resolved = resolveEndpoint(endpoint)
      return createTransport(core, resolved, { ...parseTransportOptions(given, settings, resolved), memory: 'socket' })
    },
    stats: () => core.stats(),
    resetHops: () => core.resetHops(),
    close,
    [Symbol.asyncDispose]: () => close().then(() => undefined),
  }
}
