import { delimitedContract } from './framed.js'

delimitedContract('\f')
