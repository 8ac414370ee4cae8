/** What depends on the framing, for framings that a shard translates. */
import type { FramingKind } from '../../engine/protocol/framing.js'
import { makeFramesCarriable } from '../helpers/frames.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'
import { carriable } from '../helpers/wire-bytes.js'
import type { ContractTransport } from './contract.js'
import { framingParts, otherFramingParts } from './parts.js'
import { transportContract } from './transport-contract.js'

const transports: Readonly<Record<'unix' | 'memory', ContractTransport>> = {
  unix: {
    kind: 'unix',
    halfClose: true,
    supported: process.platform !== 'win32',
    noListener: 'ERR_NOT_FOUND',
    async makeEndpoint() {
      const folder = await makeTemporaryFolder()
      const path = folder.socketPath()
      return { endpoint: `unix:${path}`, socketFile: path, remove: () => folder.remove() }
    },
  },
  memory: {
    kind: 'memory',
    halfClose: true,
    supported: true,
    noListener: 'ERR_NOT_FOUND',
    makeEndpoint: () =>
      Promise.resolve({
        endpoint: `memory:${randomName()}`,
        socketFile: undefined,
        remove: () => Promise.resolve(),
      }),
  },
}

/** Where a framing runs all parts at each length: what it does to a connection's end depends on it, not on the kind. */
const home: Readonly<Partial<Record<FramingKind, ContractTransport['kind']>>> = {
  line: 'unix',
  'content-length': 'memory',
}

export function framedContract(kind: 'unix' | 'memory', framing: FramingKind): void {
  makeFramesCarriable((bytes) => carriable(framing, bytes))
  transportContract(
    { ...transports[kind], options: { framing } },
    home[framing] === kind ? framingParts : otherFramingParts,
  )
}
