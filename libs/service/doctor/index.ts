export { examine, examineAlone, nodeVersion } from './examine.js'
export type { Finding } from './finding.js'
export type { Environment, Patient, PatientConfig } from './patient.js'
export { report } from './report.js'
