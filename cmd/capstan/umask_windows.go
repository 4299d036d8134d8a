package main

// private does nothing here: files get the access rights of their folder.
func private() {}
