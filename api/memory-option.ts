/** The option `memory` of a transport: what it means for an endpoint, and what cannot be had together with it. */
import type { Problems } from '../engine/common/option-problems.js'
import type { TransportSettings } from '../engine/core/engine-settings.js'
import type { ResolvedEndpoint } from '../engine/core/resolved-endpoint.js'
import { TransportError } from '../engine/protocol/errors.js'

export const memoryChoices = ['socket', 'shared'] as const

type MemoryChoice = (typeof memoryChoices)[number]

export function memoryFor({ kind }: ResolvedEndpoint, choice: MemoryChoice | undefined): TransportSettings['memory'] {
  if (kind === 'shm') return choice ?? 'shared'
  return choice === 'shared' ? 'shared' : 'none'
}

/** Of options that may be wrong otherwise: those are undefined. */
export function checkMemory(
  endpoint: ResolvedEndpoint,
  { memory, framing }: { readonly memory?: MemoryChoice | undefined; readonly framing?: string | undefined },
  problems: Problems,
): void {
  if (memoryFor(endpoint, memory) === 'none') return
  if (!hasUnixSocket(endpoint)) {
    if (endpoint.kind === 'local') return
    problems.add('memory: only unix:, local:, shm: and fd: endpoints can share memory. Leave memory out')
  } else if (framing !== undefined && framing !== 'length') {
    problems.add('framing: over shared memory frames are opaque; leave framing out')
  }
}

/** The choice is right, and not for this system. @throws {TransportError} ERR_UNSUPPORTED_PLATFORM */
export function assertMemorySupported(endpoint: ResolvedEndpoint, memory: TransportSettings['memory']): void {
  if (memory === 'none' || hasUnixSocket(endpoint)) return
  const { text } = endpoint
  const message = `${text}: shared memory is not available on Windows. Leave memory out.`
  throw new TransportError('ERR_UNSUPPORTED_PLATFORM', message, { endpoint: text })
}

/** Both ends agree about memory over the socket, and wake each other by it. */
function hasUnixSocket({ route }: ResolvedEndpoint): boolean {
  return route.via === 'target' && (route.target.kind === 'unix' || route.target.kind === 'fd')
}
