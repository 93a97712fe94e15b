package main

import (
	"context"
	"log/slog"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

// raiseEpoch raises the epoch of a store at the start, and notes it in the keys file. If the file
// cannot be written, it keeps its epoch.
func raiseEpoch(
	ctx context.Context,
	kept store.Store,
	keys *broker.Keys,
	keysFile string,
	logger *slog.Logger,
) error {
	raised, err := broker.RaiseEpoch(ctx, broker.EpochConfig{Store: kept, Keys: keys})
	if err != nil {
		return err
	}
	if raised.Voided {
		logger.Warn("the store is older than the keys file, so it comes from a backup: sign-ins from before now have "+
			"ended, and people sign in again", "store_epoch", raised.Found, "keys_epoch", raised.Noted)
	}
	if err := noteEpoch(ctx, keys, keysFile, raised); err != nil {
		logger.Debug("the keys file keeps its epoch, because it cannot be written", "file", keysFile, "error", err)
	}
	return nil
}

// noteEpoch writes an epoch to the keys file.
func noteEpoch(ctx context.Context, keys *broker.Keys, keysFile string, raised *broker.Epoch) error {
	noted := ""
	err := editKeys(ctx, keysFile, func(text string) (string, error) {
		noted = broker.RaiseEpochText(text, raised.Store, raised.Number)
		return noted, nil
	})
	if err != nil {
		return err
	}
	_, err = keys.Replace(noted)
	return err
}
