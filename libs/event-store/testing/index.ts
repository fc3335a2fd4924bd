export { eventStoreConformance, type ConformanceHarness } from './conformance.js'
