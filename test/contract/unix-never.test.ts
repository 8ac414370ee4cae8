import { shardWritesParts } from './parts.js'
import { transportContract } from './transport-contract.js'
import { unix } from './transports.js'

transportContract({ ...unix, options: { inlineWrites: 'never' } }, shardWritesParts)
