/**
 * What a run of the end-to-end suite sets, wherever the platform runs: nothing else of it differs. The provider's slow payments take up to 5 s, their
 * webhooks 3 s more, and what has to be done within a window is to be done on a busy machine too.
 */
export const QUICK = {
  UPI_WINDOW_SECONDS: '20',
  REVIEW_TIMEOUT_SECONDS: '30',
  RATE_LIMIT_PER_SECOND: '5000',
  RATE_LIMIT_BURST: '10000',
  // Of every order that scoring alone approves: a panel shows what fraud lets through.
  FRAUD_SAMPLE_SHARE: '1',
}
