//! A proof instead of hope (spec R137): one frame of each way in which games find each other, sent by a player, known
//! again and answered by the gateway.
