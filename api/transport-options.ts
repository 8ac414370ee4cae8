/** Options of `engine.transport()`, declared once: default, unit, range. */
import * as v from 'valibot'
import type { TransportDefaults, TransportSettings } from '../engine/core/engine-settings.js'
import type { ResolvedEndpoint } from '../engine/core/resolved-endpoint.js'
import { framingKinds, LINE_FEED, type FramingKind } from '../engine/protocol/framing.js'
import { assertMemorySupported, checkMemory, memoryChoices, memoryFor } from './memory-option.js'
import { inlineWriteBytes, inlineWrites, integer, integerFrom, milliseconds, time } from './option-schemas.js'
import { isLess, parse } from './read-options.js'

const MAX_FRAME_BYTES = 1_073_741_824
const DEFAULT_PENDING_BYTES = 16_777_216

export const transportSchema = v.strictObject({
  framing: v.optional(v.picklist(framingKinds), 'length'),
  delimiter: v.optional(v.custom<string>(isAsciiCharacter, 'one ASCII character')),
  maxHeaderBytes: integer(64, 1_048_576, 8_192),
  lastLine: v.optional(v.picklist(['refuse', 'keep']), 'refuse'),
  maxFrameBytes: integer(1, MAX_FRAME_BYTES, 16_777_216),
  maxPendingBytes: v.optional(integerFrom(1, 4 * MAX_FRAME_BYTES)),
  connectTimeoutMs: milliseconds(10_000),
  closeTimeoutMs: milliseconds(2_000),
  allowHalfOpen: v.optional(v.boolean(), false),
  frameTimeoutMs: v.optional(time(1)),
  inlineWrites: v.optional(inlineWrites),
  inlineWriteBytes: v.optional(inlineWriteBytes),
  memory: v.optional(v.picklist(memoryChoices)),
  backlog: integer(1, 65_535, 4_096),
  maxConnections: integer(1, 1_048_576, 1_048_576),
  maxQueuedConnections: integer(16, 65_535, 1_024),
  mode: integer(0, 0o777, 0o600),
})

/** Options of `engine.transport()`. */
export interface TransportOptions {
  /**
   * How frames are delimited on the wire; both ends must agree.
   * - `length` (default): u32 little-endian payload length, then the payload. The fastest: nothing is translated.
   * - `length-be`: u32 big-endian payload length, then the payload.
   * - `line`: each frame ends in LF; CRLF is accepted. A frame cannot contain LF, nor end in CR. Another `delimiter`
   *   can take the place of LF.
   * - `nul`: each frame ends in a NUL byte, and cannot contain one.
   * - `content-length`: headers, an empty line, payload, as in the Language Server Protocol.
   * - `raw`: no framing; each read is a frame, and a frame cannot be empty.
   */
  readonly framing?: FramingKind | undefined
  /**
   * `line`: the ASCII character that ends a frame in place of LF, such as `'\f'` or `'\x1e'`. It cannot be in a
   * frame, and a CR is nothing special then. Default: LF.
   */
  readonly delimiter?: string | undefined
  /** `content-length`: largest block of headers accepted, in bytes; 64 to 1 MiB. Default 8,192. */
  readonly maxHeaderBytes?: number | undefined
  /** `line`, `nul`: a last frame without delimiter is taken (`keep`) or ERR_TRUNCATED (`refuse`, the default). */
  readonly lastLine?: 'refuse' | 'keep' | undefined
  /** Largest payload sent or accepted, in bytes; 1 to 2^30. Default 16 MiB. */
  readonly maxFrameBytes?: number | undefined
  /** Bound of the queue in front of a full ring, in bytes; at least maxFrameBytes. Default 16 MiB, or maxFrameBytes. */
  readonly maxPendingBytes?: number | undefined
  /**
   * How long `connect()` may take, in milliseconds; of a listener whose connections begin with a handshake (`memory`),
   * how long each of those may take. Default 10,000.
   */
  readonly connectTimeoutMs?: number | undefined
  /** How long `close()` waits for the peer, in milliseconds. Default 2,000. */
  readonly closeTimeoutMs?: number | undefined
  /** True: our side stays open after the peer's end of stream. Default false: it ends once all is read and sent. */
  readonly allowHalfOpen?: boolean | undefined
  /**
   * How long a frame may take from its first byte to its last while the connection is read, in milliseconds, at least
   * 1; past it the connection is destroyed with ERR_FRAME_TIMEOUT. Default: no limit.
   */
  readonly frameTimeoutMs?: number | undefined
  /** Whether main may write small frames to the socket itself: `auto` or `never`. Default: the engine's. */
  readonly inlineWrites?: 'auto' | 'never' | undefined
  /** Most bytes that main writes at one time, 64 to 65,536. Default: the engine's. */
  readonly inlineWriteBytes?: number | undefined
  /**
   * What carries frames. `shared`: memory that both processes have mapped, where both can; otherwise the socket, as
   * `connection.info.memory` tells. For `unix:` and `local:` both ends have to set it. `socket`: the socket; at `shm:`
   * endpoints both ends still shake hands, and this one offers no memory. Default: `shared` for `shm:`, else `socket`.
   * For `shm:`, and with `shared`, the framing has to be `length`.
   */
  readonly memory?: 'socket' | 'shared' | undefined
  /**
   * Connections that wait in the kernel for the listener, 1 to 65,535; the system may allow fewer (on Linux
   * net.core.somaxconn). Default 4,096: peers that come in a burst and find it full get EAGAIN.
   */
  readonly backlog?: number | undefined
  /** Connections that a listener has open at once, 1 to 1,048,576; one more is cut at once. Default 1,048,576. */
  readonly maxConnections?: number | undefined
  /**
   * Connections that were accepted and not taken yet, 16 to 65,535, shared evenly by the shards, of which each has at
   * least 16; past it no more are accepted, and peers wait in the backlog. Handshakes under way count. Default 1,024.
   */
  readonly maxQueuedConnections?: number | undefined
  /** Mode of the socket file that a listener makes, 0 to 0o777. Default 0o600: only the owner may connect. */
  readonly mode?: number | undefined
}

export function parseTransportOptions(
  options: unknown,
  defaults: TransportDefaults,
  endpoint: ResolvedEndpoint,
): TransportSettings {
  const parsed = parse(transportSchema, options, 'transport()', (output, problems) => {
    const { maxPendingBytes, maxFrameBytes, delimiter, framing } = output ?? {}
    if (isLess(maxPendingBytes, maxFrameBytes))
      problems.add(`maxPendingBytes: it must be at least maxFrameBytes (${String(maxFrameBytes)})`)
    if (delimiter !== undefined && framing !== undefined && framing !== 'line')
      problems.add(`delimiter: ${framing} framing has none to choose; set framing to "line", or leave delimiter out`)
    if (output !== undefined) checkMemory(endpoint, output, problems)
  })
  const memory = memoryFor(endpoint, parsed.memory)
  assertMemorySupported(endpoint, memory)
  const { framing: kind, delimiter: character, maxHeaderBytes, lastLine, maxFrameBytes, ...rest } = parsed
  const { frameTimeoutMs, allowHalfOpen, ...others } = rest
  const delimiter = character?.charCodeAt(0) ?? LINE_FEED
  const { inlineWrites = defaults.inlineWrites, inlineWriteBytes = defaults.inlineWriteBytes, ...further } = others
  const { closeTimeoutMs, maxPendingBytes = Math.max(DEFAULT_PENDING_BYTES, maxFrameBytes), ...settings } = further
  return {
    ...settings,
    memory,
    connection: {
      framing: { kind, delimiter, maxFrameBytes, maxHeaderBytes, lastLine, frameTimeoutMs },
      maxFrameBytes,
      maxPendingBytes,
      frameTimeoutMs,
      closeTimeoutMs,
      allowHalfOpen,
      inlineWrites,
      inlineWriteBytes,
    },
  }
}

/** A byte that is never part of another character, whatever text surrounds it. */
function isAsciiCharacter(value: unknown): boolean {
  return typeof value === 'string' && value.length === 1 && value < '\x80'
}
