"""Invoices: lines, discounts, tax and how they are printed."""
