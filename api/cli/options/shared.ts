/** The options that commands share: the same name is read, and means, the same everywhere. */
import { readEndpoint } from '../../endpoint-input.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import { framingKinds } from '../../../engine/protocol/framing.js'
import { flag, option } from './option.js'
import { integer, oneOf, Unfit } from './reader.js'

/** The text itself, of which it is known that two processes can meet there. */
export function endpointText(text: string): string {
  const { kind } = checked(text)
  if (kind === 'memory') throw new Unfit('an endpoint that two processes can meet at: memory: is within one engine')
  if (kind === 'stdio') throw new Unfit('an endpoint that can be dialled: stdio: is the stdin and stdout of a program')
  return text
}

function checked(text: string): ReturnType<typeof readEndpoint> {
  try {
    return readEndpoint(text)
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
    // It leaves out of the text what may be a secret.
    throw new Unfit(error.message.replace(/\.$/, ''), { saysAll: true })
  }
}

export const endpoint = option(endpointText, '', 'unix:PATH, unix:@NAME, local:NAME, shm:NAME or pipe:NAME')
export const framing = option(oneOf(framingKinds), 'length', `how frames are told apart: ${framingKinds.join(', ')}`)
export const shards = option(integer(1, 64), 'N', "worker threads (default: the engine's own)")
export const json = flag('print JSON')
