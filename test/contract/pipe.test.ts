import { transportContract } from './transport-contract.js'
import { pipe } from './transports.js'

transportContract(pipe)
