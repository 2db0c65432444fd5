'use strict';
// Every bound of the Node context, with its reason. Units stand last in a name.
// The Runtime's own are in oneos/limits.py; this side runs inside programs and has none of it.

module.exports = {
  // As the Runtime's FRAME_BYTES_MAX: a longer frame means that the stream is broken.
  FRAME_BYTES_MAX: 8 * 1024 * 1024,

  // One `pread` or `pwrite`: the most the Runtime answers in one frame.
  TRANSFER_BYTES_MAX: 1024 * 1024,

  // Connections for asynchronous calls. Replies come in order on each, so one slow `close` would
  // hold back all that follow; as many as libuv has threads for the same work.
  ASYNC_CHANNELS_MAX: 4,

  // A full backlog refuses a connection at once; 50 tries of 10 ms wait for half a second.
  CONNECT_ATTEMPTS_MAX: 50,
  CONNECT_PAUSE_MS: 10,

  // Random names tried by `mkdtemp`: 62^6 names, so even two tries in a row are rare.
  MKDTEMP_ATTEMPTS_MAX: 100,

  // Questions asked ahead about the main script: enough for 30 directories above it.
  FORESEEN_REQUESTS_MAX: 64,

  // Between two looks at what is watched: soon for a person, and 10 requests a second for a file.
  // After a look that takes long, the rest is as many times longer: a tenth of the time at most.
  WATCH_PAUSE_MS: 100,
  WATCH_REST: 9,
  // Entries of a watched directory whose contents are looked at: one request each. Of those beyond,
  // only coming and going is told.
  WATCH_ENTRIES_MAX: 1024,

  // How long what was seen of a path is kept without asking again: as the Runtime's CACHE_VALID_S,
  // which says why. And of how many paths, of which length: 4 MiB at most.
  KEPT_MS: 2000,
  KEPT_PATHS_MAX: 4096,
  KEPT_PATH_BYTES_MAX: 512,
  LENT_MAX: 1024,

  // PATH_MAX: what a worker thread may be told of the main thread's working directory.
  PATH_BYTES_MAX: 4096,

  // One record of `json` or `segment`: a camera's picture fits; what is longer is a file, and would
  // only fill the memory of whoever reads it. guest/python/records.py has the same.
  RECORD_BYTES_MAX: 64 * 1024 * 1024,

  // Between two looks at a lock that another process holds for the microseconds of one record, and
  // how long a writer may take it again before it queues behind those who wait.
  RECORD_PAUSE_MS: 1,
  RECORD_TURN_MS: 2,
};
