import { transportContract } from './transport-contract.js'
import { memory } from './transports.js'

transportContract(memory)
