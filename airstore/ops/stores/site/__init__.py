"""What a site says of itself: its ledger, its mark and anchor, its journals and receipts."""
